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
		return nil, fromStatus(ctx, err)
	}
	return res, nil
}
