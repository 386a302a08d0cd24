package wire

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const (
	errorDomain   = "addon.v1"
	maxErrorText  = 2000
	maxErrorField = 100
)

func statusCode(c apperr.Code) codes.Code {
	switch c {
	case apperr.Invalid:
		return codes.InvalidArgument
	case apperr.NotFound:
		return codes.NotFound
	case apperr.Conflict:
		return codes.AlreadyExists
	case apperr.Unauthenticated:
		return codes.Unauthenticated
	case apperr.PermissionDenied:
		return codes.PermissionDenied
	case apperr.TooManyRequests:
		return codes.ResourceExhausted
	case apperr.Unavailable:
		return codes.Unavailable
	default:
		return codes.Internal
	}
}

// toStatus turns an error into what crosses the wire. The text of an internal
// error is logged here and replaced by the generic one.
func toStatus(ctx context.Context, log *slog.Logger, method string, err error) error {
	if err == nil {
		return nil
	}
	if _, coded := errors.AsType[*apperr.Error](err); !coded {
		if ctx.Err() != nil && gaveUp(err) {
			return status.FromContextError(ctx.Err()).Err()
		}
		if status.Code(err) == codes.Unimplemented {
			return err
		}
	}
	code := apperr.CodeOf(err)
	if code == apperr.Internal {
		log.ErrorContext(ctx, "call failed", "method", method, "error", err.Error())
	}
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: string(code), Domain: errorDomain}}
	if fields := apperr.FieldsOf(err); len(fields) > 0 && code != apperr.Internal {
		details = append(details, badRequest(fields))
	}
	if wait := apperr.RetryAfterOf(err); wait > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	}
	plain := status.New(statusCode(code), clip(apperr.MessageOf(err)))
	detailed, derr := plain.WithDetails(details...)
	if derr != nil {
		log.ErrorContext(ctx, "error details not sent", "method", method, "error", derr.Error())
		return plain.Err()
	}
	return detailed.Err()
}

// gaveUp tells whether err only says that the call's context has ended.
func gaveUp(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	c := status.Code(err)
	return c == codes.Canceled || c == codes.DeadlineExceeded
}

func badRequest(fields map[string]string) *errdetails.BadRequest {
	b := &errdetails.BadRequest{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if len(b.FieldViolations) == maxErrorField {
			break
		}
		b.FieldViolations = append(b.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: clip(name), Description: clip(fields[name]),
		})
	}
	return b
}

// clip keeps a text that people read valid and short enough for a trailer.
func clip(s string) string {
	s = text(s)
	if len(s) <= maxErrorText {
		return s
	}
	cut := maxErrorText
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

// fromStatus turns what came over the wire into a coded error. The peer may be
// any program: texts are clipped, unknown codes are internal.
func fromStatus(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	if info := errorInfo(s); info != nil {
		return codedError(s, apperr.Code(info.Reason), err)
	}
	switch s.Code() {
	case codes.Canceled, codes.DeadlineExceeded:
		if cause := context.Cause(ctx); cause != nil {
			return apperr.Wrap(apperr.Unavailable, "The request was given up.", cause)
		}
		return apperr.Wrap(apperr.Unavailable, "The answer took too long. Please try again.", context.DeadlineExceeded)
	case codes.Unavailable:
		return apperr.Wrap(apperr.Unavailable, "This part of the system is not answering. Please try again.", err)
	case codes.Unimplemented:
		return apperr.Wrap(apperr.NotFound, "This add-on does not offer that.", err)
	case codes.Unauthenticated:
		return apperr.Wrap(apperr.Unauthenticated, "The call carries no valid token.", err)
	default:
		return apperr.Wrap(apperr.Internal, apperr.GenericMessage, err)
	}
}

func errorInfo(s *status.Status) *errdetails.ErrorInfo {
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.Domain == errorDomain {
			return info
		}
	}
	return nil
}

func codedError(s *status.Status, code apperr.Code, cause error) error {
	if code == apperr.Internal || statusCode(code) == codes.Internal {
		return apperr.Wrap(apperr.Internal, apperr.GenericMessage, cause)
	}
	e := &apperr.Error{Code: code, Message: clip(s.Message())}
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.BadRequest:
			e.Fields = violations(d)
		case *errdetails.RetryInfo:
			e.RetryAfter = max(0, min(d.GetRetryDelay().AsDuration(), 30*24*time.Hour))
		}
	}
	return e
}

func violations(b *errdetails.BadRequest) map[string]string {
	if len(b.FieldViolations) == 0 {
		return nil
	}
	fields := make(map[string]string, min(len(b.FieldViolations), maxErrorField))
	for _, v := range b.FieldViolations {
		if len(fields) == maxErrorField {
			break
		}
		fields[clip(v.Field)] = clip(v.Description)
	}
	return fields
}
