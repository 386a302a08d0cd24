package marketplace

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// tooLong means that a file has no end, or a late one.
type tooLong struct{ limit int64 }

func (t *tooLong) Error() string { return fmt.Sprintf("is longer than %d bytes", t.limit) }

// expiredError means that what a role signed is no more valid.
type expiredError struct {
	Expiry
	cause error
}

func (e expiredError) Error() string { return e.Role + ".json expired on " + e.day() }
func (e expiredError) Unwrap() error { return e.cause }
func (e expiredError) day() string   { return e.At.UTC().Format("2 January 2006, 15:04 MST") }

// expired finds out which role's file has expired, if that is what is wrong.
func expired(u *updater.Updater, now time.Time, err error) error {
	var wrong *metadata.ErrExpiredMetadata
	if !errors.As(err, &wrong) {
		return err
	}
	set := u.GetTrustedMetadataSet()
	at := Expiry{RoleRoot, set.Root.Signed.Expires}
	if now.After(at.At) {
		return expiredError{at, err}
	}
	if set.Timestamp != nil && set.Timestamp.Signed.IsExpired(now) {
		return expiredError{Expiry{RoleTimestamp, set.Timestamp.Signed.Expires}, err}
	}
	if set.Snapshot != nil && set.Snapshot.Signed.IsExpired(now) {
		return expiredError{Expiry{RoleSnapshot, set.Snapshot.Signed.Expires}, err}
	}
	return err
}

// refusal is what an operator reads of a marketplace that does not prove itself.
func (c *Client) refusal(file string, err error) error {
	return c.unavailable("The marketplace is refused: "+reason(file, err)+".", err)
}

// unavailable keeps where the marketplace is for the log: the message is shown to
// billers' staff as well.
func (c *Client) unavailable(message string, err error) error {
	return apperr.Wrap(apperr.Unavailable, message, fmt.Errorf("%s: %w", c.config.URL, err))
}

// reason says in plain words what is wrong with the file that was looked at last.
func reason(file string, err error) string {
	var (
		long     *tooLong
		ended    expiredError
		unsigned *metadata.ErrUnsignedMetadata
		version  *metadata.ErrBadVersionNumber
		expiry   *metadata.ErrExpiredMetadata
		mismatch *metadata.ErrLengthOrHashMismatch
		syntax   *json.SyntaxError
	)
	switch {
	case errors.As(err, &long):
		return fmt.Sprintf("%s is longer than the %d bytes it may have", file, long.limit)
	case errors.As(err, &ended) && ended.Role == RoleRoot:
		return fmt.Sprintf("its root expired on %s; its owner must sign a new one with the root keys (billhost marketplace refresh)", ended.day())
	case errors.As(err, &ended):
		return fmt.Sprintf("%s; either the copy is held back, or its owner has not run billhost marketplace refresh", ended.Error())
	case errors.As(err, &expiry):
		return file + " has expired; its owner must run billhost marketplace refresh with the targets keys"
	case errors.As(err, &unsigned):
		return file + " is not signed by enough of the keys this host trusts"
	case errors.As(err, &version) && isRoot(file):
		return file + " does not hold the version that follows the root this host trusts"
	case errors.As(err, &version):
		return file + " is older than what this host has seen; somebody may be serving an old copy"
	case errors.As(err, &mismatch):
		return file + " is not the file that was signed with the rest; files of different times are mixed, or one was changed"
	case errors.As(err, &syntax):
		return file + " is damaged or something else altogether"
	}
	return file + " is not as it must be"
}
