package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

// exportTimeout bounds an export whose caller gave no deadline.
const exportTimeout = 10 * time.Minute

// Export implements pb.LifecycleServer.
func (l lifecycleServer) Export(r *pb.BillerRequest, stream grpc.ServerStreamingServer[pb.ExportChunk]) error {
	e := l.addon.parts.Export
	if e == nil || e.Write == nil {
		return unimplemented()
	}
	if r.GetCall().GetBillerId() == "" {
		return apperr.Errorf(apperr.Invalid, "The call names no biller.")
	}
	if err := stream.Send(&pb.ExportChunk{FileName: e.FileName, MediaType: e.MediaType}); err != nil {
		return err
	}
	return e.Write(l.addon.withCall(stream.Context(), r.GetCall()), exportWriter{stream})
}

// exportWriter sends what it is given in pieces that fit.
type exportWriter struct {
	stream grpc.ServerStreamingServer[pb.ExportChunk]
}

// Write implements io.Writer.
func (w exportWriter) Write(b []byte) (n int, err error) {
	for n < len(b) {
		piece := b[n:min(n+bodySize, len(b))]
		if err := w.stream.Send(&pb.ExportChunk{Data: piece}); err != nil {
			return n, fmt.Errorf("send export: %w", err)
		}
		n += len(piece)
	}
	return n, nil
}

// Exported is what an add-on calls the file that it writes.
type Exported struct{ FileName, MediaType string }

// Export asks for one file of all that the add-on keeps for the biller of the
// call, and writes it to what open returns. NotFound if the add-on has no export;
// after any error what was written is worthless.
func (c *Client) Export(ctx context.Context, call sdk.Call, open func(Exported) (io.Writer, error)) error {
	if _, ok := ctx.Deadline(); !ok {
		limited, cancel := context.WithTimeout(ctx, exportTimeout)
		defer cancel()
		ctx = limited
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	stream, err := c.lifecycle.Export(ctx, &pb.BillerRequest{Call: callToPB(call, "")})
	if err != nil {
		return fromStatus(ctx, err)
	}
	first, err := stream.Recv()
	if err != nil {
		return exportError(ctx, err)
	}
	w, err := open(Exported{first.GetFileName(), first.GetMediaType()})
	if err != nil {
		return err
	}
	for chunk := first; ; {
		if _, err := w.Write(chunk.GetData()); err != nil {
			return fmt.Errorf("write export: %w", err)
		}
		if chunk, err = stream.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fromStatus(ctx, err)
		}
	}
}

func exportError(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) {
		return apperr.Errorf(apperr.Internal, "The add-on ended its export before it began.")
	}
	if status.Code(err) == codes.Unimplemented {
		return apperr.Errorf(apperr.NotFound, "This add-on has no export.")
	}
	return fromStatus(ctx, err)
}
