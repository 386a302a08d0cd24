package wire

import (
	"context"

	"google.golang.org/grpc"
)

// unary makes one call with a deadline and a coded error. The answer of a
// failed call is nil, which the conversions turn into a zero value.
func unary[Req, Res any](ctx context.Context, call func(context.Context, *Req, ...grpc.CallOption) (*Res, error), req *Req) (*Res, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	res, err := call(ctx, req)
	if err != nil {
		return nil, callError(ctx, req, err)
	}
	return res, nil
}

// callError turns the failure of a call into a coded error: Invalid, with the
// field's name, if the request could not be sent because it holds bytes that
// are no text.
func callError(ctx context.Context, req any, err error) error {
	if bad := unsendable(err, req); bad != nil {
		return bad
	}
	return fromStatus(ctx, err)
}
