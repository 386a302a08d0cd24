// Package apperr is the one error type that crosses packages, processes and screens.
//
// An error made here carries a code and a sentence written for the person who
// reads it. Any other error is internal: log it, and show GenericMessage.
package apperr

import (
	"errors"
	"fmt"
	"maps"
	"time"
)

// Code says what kind of trouble an error is. It is stable: it travels over the
// wire between host and add-on and decides the HTTP and gRPC status.
type Code string

const (
	// Invalid means the caller's input is wrong; FieldsOf may say which part.
	Invalid Code = "invalid"
	// NotFound means there is no such thing for this biller.
	NotFound Code = "not_found"
	// Conflict means the thing exists already or has changed in the meantime.
	Conflict Code = "conflict"
	// Unauthenticated means nobody is signed in.
	Unauthenticated Code = "unauthenticated"
	// PermissionDenied means the caller is known and may not do this.
	PermissionDenied Code = "permission_denied"
	// TooManyRequests means the caller is throttled; RetryAfterOf may say for how long.
	TooManyRequests Code = "too_many_requests"
	// Unavailable means something needed is down; trying again later may work.
	Unavailable Code = "unavailable"
	// Internal is everything else, uncoded errors included. Its text stays in the process.
	Internal Code = "internal"
)

// GenericMessage is what people read in place of an internal error's own text.
const GenericMessage = "Something went wrong on our side. Please try again."

// Error is a coded error. Make one with Errorf, Field or Wrap, or fill it in
// directly when Fields or RetryAfter are needed; read it with the …Of functions,
// which look through wrapping.
type Error struct {
	// Code is the kind of trouble; empty counts as Internal.
	Code Code
	// Message is one plain sentence for the person concerned, without secrets.
	Message string
	// Fields maps a form field's name to what is wrong with it; nil if no field is to blame.
	Fields map[string]string
	// RetryAfter is how long to wait before trying again; zero means unknown.
	RetryAfter time.Duration

	err error
}

// Error returns the message, and the cause of a wrapped error after a colon.
// It is meant for logs; for people use MessageOf.
func (e *Error) Error() string {
	if e.err == nil {
		return e.Message
	}
	if e.Message == "" {
		return e.err.Error()
	}
	return e.Message + ": " + e.err.Error()
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.err }

// Errorf returns an *Error with the code and a formatted message, which people
// will read. To keep a cause for the log, use Wrap; %w is not supported here,
// because it would put the cause's text into the message.
func Errorf(code Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Field returns an Invalid *Error that blames one form field.
func Field(name, message string) error {
	return &Error{Code: Invalid, Message: message, Fields: map[string]string{name: message}}
}

// Throttled returns a TooManyRequests *Error that says when to come back.
func Throttled(retryAfter time.Duration, format string, args ...any) error {
	return &Error{Code: TooManyRequests, Message: fmt.Sprintf(format, args...), RetryAfter: retryAfter}
}

// Wrap returns err as the private cause of an *Error with the code and message.
// The cause shows in logs and to errors.Is and errors.As, never in MessageOf.
// Wrap(code, message, nil) is nil.
func Wrap(code Code, message string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Code: code, Message: message, err: err}
}

// CodeOf returns the code of the outermost *Error in err's chain: Internal for
// an uncoded error, the empty code for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Code != "" {
		return e.Code
	}
	return Internal
}

// Is reports whether err carries the code.
func Is(err error, code Code) bool { return err != nil && CodeOf(err) == code }

// MessageOf returns the text a person may read: the message of the outermost
// *Error, GenericMessage for internal and uncoded errors, "" for nil.
func MessageOf(err error) string {
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Message == "" || CodeOf(err) == Internal {
		return GenericMessage
	}
	return e.Message
}

// FieldsOf returns a copy of what is wrong by field name; nil if no field is to blame.
func FieldsOf(err error) map[string]string {
	if e, ok := errors.AsType[*Error](err); ok {
		return maps.Clone(e.Fields)
	}
	return nil
}

// RetryAfterOf returns how long to wait before trying again; zero means unknown.
func RetryAfterOf(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}
