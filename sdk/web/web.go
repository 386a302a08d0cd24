// Package web is what add-ons and platforms share for their pages: handlers that
// return errors, a renderer whose templates are checked at start, forms that
// keep what was typed, and the stylesheet.
package web

import (
	"context"
	"crypto/rand"
	"encoding/base32"

	"github.com/billing-addons/customer-portal/sdk"
)

type requestIDKey struct{}

// crockford is base 32 without letters that read like digits.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewRequestID returns a number that people can read out on the phone, such as
// "R-7Q4K-0M2X".
func NewRequestID() string {
	var b [5]byte
	// crypto/rand.Read never fails: it ends the program instead.
	_, _ = rand.Read(b[:])
	s := base32.NewEncoding(crockford).WithPadding(base32.NoPadding).EncodeToString(b[:])
	return "R-" + s[:4] + "-" + s[4:]
}

// ValidRequestID reports whether s may serve as a request id: 8 to 64 letters,
// digits and hyphens.
func ValidRequestID(s string) bool {
	if len(s) < 8 || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '-':
		default:
			return false
		}
	}
	return true
}

// WithRequestID returns a context of a request with the id; RequestID reads it.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id of the request that ctx belongs to: the one set with
// WithRequestID, else that of the add-on call, else "".
func RequestID(ctx context.Context) string {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok {
		return id
	}
	return sdk.CallFrom(ctx).RequestID
}
