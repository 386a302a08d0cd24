package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// deviceHash is what is kept of a browser: one that several people share has
// another hash for each.
func deviceHash(biller, staffID, device string) string {
	return hash([]byte("device " + biller + " " + staffID + " " + device))
}

// knowDevice keeps that a person, whose row the transaction holds, signs in with
// the browser of the books.Actor. It tells whether that is one they had not used
// before, or not for books.DeviceLife; false if nobody knows the browser.
func (s *Store) knowDevice(ctx context.Context, tx *sqlx.Tx, biller, staffID string) (stranger bool, err error) {
	device, now := books.ActorFrom(ctx).Device, s.now()
	if device == "" {
		return false, nil
	}
	if err := sweepDevices(ctx, tx, biller, now); err != nil {
		return false, err
	}
	done, err := tx.ExecContext(ctx, `
		UPDATE staff_devices
		SET seen_at = $4
		WHERE biller_id = $1
			AND staff_id = $2
			AND hash = $3`, biller, staffID, deviceHash(biller, staffID, device), now)
	if err != nil {
		return false, fmt.Errorf("find device: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n > 0 {
		return false, err
	}
	if err := forgetOldest(ctx, tx, biller, staffID); err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO staff_devices (biller_id, staff_id, hash, seen_at)
		VALUES ($1, $2, $3, $4)`, biller, staffID, deviceHash(biller, staffID, device), now)
	if err != nil {
		return false, fmt.Errorf("keep device: %w", err)
	}
	return true, nil
}

// forgetOldest makes room for one more of books.DevicesKept.
func forgetOldest(ctx context.Context, tx *sqlx.Tx, biller, staffID string) error {
	_, err := tx.ExecContext(ctx, `
		DELETE FROM staff_devices
		WHERE biller_id = $1
			AND staff_id = $2
			AND hash NOT IN (
				SELECT hash
				FROM staff_devices
				WHERE biller_id = $1
					AND staff_id = $2
				ORDER BY seen_at DESC, hash
				LIMIT $3
			)`, biller, staffID, books.DevicesKept-1)
	if err != nil {
		return fmt.Errorf("forget oldest devices: %w", err)
	}
	return nil
}

// tellOfDevice has a person told of a sign-in with a new browser, as often as
// books.DeviceNotices says. Nobody is told of the first sign-in of all.
func (s *Store) tellOfDevice(ctx context.Context, tx *sqlx.Tx, biller, staffID string) error {
	var before bool
	err := tx.GetContext(ctx, &before, `
		SELECT EXISTS (
			SELECT 1
			FROM audit
			WHERE biller_id = $1
				AND staff_id = $2
				AND action = $3
		)`, biller, staffID, books.AuditStaffSignedIn)
	if err != nil {
		return fmt.Errorf("look for a sign-in: %w", err)
	}
	if !before {
		return nil
	}
	now := s.now()
	told, err := s.count(ctx, tx, []books.Budget{books.DeviceNotices("new browsers of " + staffID)}, now)
	if err != nil || !told.IsZero() {
		return err
	}
	return s.ask(ctx, tx, books.Ask{Kind: books.AskDevice, BillerID: biller, StaffID: staffID, Agent: short(books.ActorFrom(ctx).Agent), At: now})
}

// forgetDevices makes every browser of a person a new one, but that of the
// books.Actor if keep says so.
func forgetDevices(ctx context.Context, tx *sqlx.Tx, biller, staffID string, keep bool) error {
	kept := ""
	if keep {
		kept = deviceHash(biller, staffID, books.ActorFrom(ctx).Device)
	}
	_, err := tx.ExecContext(ctx, `
		DELETE FROM staff_devices
		WHERE biller_id = $1
			AND staff_id = $2
			AND hash <> $3`, biller, staffID, kept)
	if err != nil {
		return fmt.Errorf("forget devices: %w", err)
	}
	return nil
}

// sweepDevices forgets the biller's browsers that were not used for long.
func sweepDevices(ctx context.Context, tx *sqlx.Tx, biller string, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		DELETE FROM staff_devices
		WHERE biller_id = $1
			AND seen_at <= $2`, biller, now.Add(-books.DeviceLife))
	if err != nil {
		return fmt.Errorf("sweep devices: %w", err)
	}
	return nil
}
