package sdk

import (
	"context"
	"io"
)

// Export lets a biller take out what the add-on keeps for it, as one file. The
// host asks for it when staff want it, and always before Purge.
type Export struct {
	// FileName is what the biller's file is called: "notices.jsonl". It has no
	// path.
	FileName string
	// MediaType is the file's: "application/zip", "application/jsonl".
	MediaType string
	// Write writes the file of the biller of the call, which may be suspended: ctx
	// carries no right to call host services. Leave out what is secret: hashes of
	// passwords, tokens. An error makes the host throw the file away.
	Write func(ctx context.Context, w io.Writer) error
}
