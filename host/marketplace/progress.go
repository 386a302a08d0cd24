package marketplace

import (
	"context"
	"io"
)

// Step is what Unpack is doing.
type Step string

// The steps of Unpack, in their order. A folder of packages has no download.
const (
	Downloading Step = "downloading"
	Verifying   Step = "verifying"
	Unpacking   Step = "unpacking"
)

// Progress says how far a step is, in bytes of the package.
type Progress struct {
	Step        Step
	Done, Total int64
}

type progressKey struct{}

// WithProgress returns a context under which Unpack and Fetch tell report how far
// they are, from one goroutine at a time and up to a few hundred times a second.
func WithProgress(ctx context.Context, report func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, report)
}

func tell(ctx context.Context, p Progress) {
	if report, ok := ctx.Value(progressKey{}).(func(Progress)); ok {
		report(p)
	}
}

// counted tells of a step while it is read.
type counted struct {
	io.Reader
	ctx context.Context
	at  Progress
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.at.Done += int64(n)
	tell(c.ctx, c.at)
	return n, err
}
