package wire

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

// answer copies what the add-on sends.
type answer struct {
	stream  grpc.BidiStreamingClient[pb.HTTPIn, pb.HTTPOut]
	onHead  OnHead
	body    ResponseBody
	started bool
}

func (a *answer) copy(ctx context.Context) error {
	for {
		out, err := a.stream.Recv()
		if errors.Is(err, io.EOF) {
			return apperr.Wrap(apperr.Internal, apperr.GenericMessage, errors.New("the answer has no end"))
		}
		if err != nil {
			return answerError(ctx, err)
		}
		if err := a.pass(out); err != nil {
			return err
		}
		if out.GetEnd() {
			return nil
		}
	}
}

// answerError prefers the reason that ended ctx, if there is one: the body's
// limit, or what the host says of a time that is over.
func answerError(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if cause == nil || errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		return fromStatus(ctx, err)
	}
	return cause
}

// pass hands one message on.
func (a *answer) pass(out *pb.HTTPOut) error {
	if a.started == (out.GetHead() != nil) || len(out.GetBody()) > ChunkSize {
		return apperr.Wrap(apperr.Internal, apperr.GenericMessage, errors.New("the answer breaks the protocol"))
	}
	if head := out.GetHead(); head != nil {
		status := int(head.GetStatus())
		if status < 200 || status > 599 {
			return apperr.Wrap(apperr.Internal, apperr.GenericMessage, fmt.Errorf("the answer has status %d", status))
		}
		body, err := a.onHead(status, headerFromPB(head.GetHeaders()))
		if err != nil {
			return fmt.Errorf("head: %w", err)
		}
		a.body, a.started = body, true
	}
	if len(out.GetBody()) > 0 {
		if _, err := a.body.Write(out.GetBody()); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
	}
	if out.GetFlush() {
		if err := a.body.Flush(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("flush answer: %w", err)
		}
	}
	return nil
}
