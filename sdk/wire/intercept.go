package wire

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/billing-addons/customer-portal/sdk/pb"
)

// ours tells our services from those that go-plugin adds to the same server.
func ours(method string) bool { return strings.HasPrefix(method, "/addon.v1.") }

// gate runs before each of our calls: it may refuse the call, or change its
// context. done runs when the call has ended.
type gate func(ctx context.Context, method string) (_ context.Context, done func(), err error)

func unaryServer(log *slog.Logger, enter gate) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (res any, err error) {
		if !ours(info.FullMethod) {
			return next(ctx, req)
		}
		defer func() {
			if v := recover(); v != nil {
				err = panicked(ctx, log, info.FullMethod, v)
			} else {
				err = toStatus(ctx, log, info.FullMethod, err)
			}
			if err != nil {
				res = nil
			}
		}()
		ctx, done, err := enter(ctx, info.FullMethod)
		if err != nil {
			return nil, err
		}
		defer done()
		if c, ok := req.(interface{ GetCall() *pb.Call }); ok {
			ctx = withCall(ctx, c.GetCall())
		}
		return next(ctx, req)
	}
}

func streamServer(log *slog.Logger, enter gate) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
		ctx := stream.Context()
		if !ours(info.FullMethod) {
			return next(srv, stream)
		}
		defer func() {
			if v := recover(); v != nil {
				err = panicked(ctx, log, info.FullMethod, v)
			} else {
				err = toStatus(ctx, log, info.FullMethod, err)
			}
		}()
		_, done, err := enter(ctx, info.FullMethod)
		if err != nil {
			return err
		}
		defer done()
		return next(srv, stream)
	}
}

// panicked logs a panic with its stack and returns the status that the caller
// gets, which has neither. http.ErrAbortHandler is no fault.
func panicked(ctx context.Context, log *slog.Logger, method string, v any) error {
	if v == http.ErrAbortHandler {
		return status.Error(codes.Aborted, "aborted")
	}
	log.ErrorContext(ctx, "call panicked", "method", method, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	return status.Error(codes.Internal, "internal")
}

// unaryClient gives calls without one a deadline and turns answers into coded
// errors.
func unaryClient(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if _, ok := ctx.Deadline(); !ok {
		limited, cancel := context.WithTimeout(ctx, defaultTimeout)
		defer cancel()
		return callError(ctx, req, invoke(limited, method, req, reply, cc, opts...))
	}
	return callError(ctx, req, invoke(ctx, method, req, reply, cc, opts...))
}
