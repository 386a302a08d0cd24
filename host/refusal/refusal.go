// Package refusal writes down which requests were refused: somebody may be trying
// doors. It writes so many lines and no more, for whoever tries doors can also try
// to fill the log.
package refusal

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Why a request was refused. Each has lines of its own, so that a flood of one
// kind hides no other.
const (
	// Origin: a form that another site sent.
	Origin = "origin"
	// Role: the person's role or abilities do not allow it.
	Role = "role"
	// Unknown: an id that is nobody's, or another biller's.
	Unknown = "unknown id"
	// Throttled: too many tries.
	Throttled = "throttled"
	// Permission: an add-on asked for what the biller did not agree to.
	Permission = "permission"
	// Token: an add-on's token is unknown, has ended or is another's.
	Token = "token"
)

// Lines is how many requests are listed each minute, for each reason. What comes
// beyond is counted.
const Lines = 60

// Log lists refused requests. It is safe for concurrent use.
type Log struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	kinds map[string]*minute
}

// minute is what was refused for one reason since it began.
type minute struct {
	began time.Time
	count int
}

// New returns a log that writes to log; now is the clock, nil means time.Now.
func New(log *slog.Logger, now func() time.Time) *Log {
	if now == nil {
		now = time.Now
	}
	return &Log{log: log, now: now, kinds: map[string]*minute{}}
}

// Refused lists a request: why, and the attributes, which hold ids and no secrets.
func (l *Log) Refused(ctx context.Context, why string, attrs ...any) {
	list, left := l.count(why)
	if left > 0 {
		l.log.WarnContext(ctx, "requests refused that are not listed", "why", why, "count", left)
	}
	if list {
		l.log.WarnContext(ctx, "request refused", append([]any{"why", why}, attrs...)...)
	}
}

// count tells whether the request is listed, and how many of the minute before
// were not.
func (l *Log) count(why string) (list bool, left int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	m := l.kinds[why]
	if m == nil {
		m = &minute{began: now}
		l.kinds[why] = m
	}
	if now.Sub(m.began) >= time.Minute {
		left = max(0, m.count-Lines)
		*m = minute{began: now}
	}
	m.count++
	return m.count <= Lines, left
}
