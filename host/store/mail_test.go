package store_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestMailLife(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		reserve := func(e addon.MailEntry) (addon.MailEntry, error) {
			return w.ReserveMail(ctx, e, caps(), time.Minute)
		}
		_, err := reserve(entry(biller, "k1"))
		wantCode(t, "not installed", err, apperr.NotFound)
		mustInstall(t, w, biller)

		want := entry(biller, "k1")
		want.State, want.Attempts, want.CreatedAt, want.UpdatedAt = addon.MailReserved, 1, w.now, w.now
		got, err := reserve(entry(biller, "k1"))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("reserved %v (-want +got):\n%s", err, diff)
		}
		_, err = reserve(entry(biller, "k1"))
		wantCode(t, "while it is sent", err, apperr.Unavailable)
		if apperr.RetryAfterOf(err) != time.Minute {
			t.Errorf("retry after %v", apperr.RetryAfterOf(err))
		}
		elsewhere := entry(biller, "k1")
		elsewhere.ToHash = "h2"
		_, err = reserve(elsewhere)
		wantCode(t, "another address", err, apperr.Conflict)

		w.pass(50 * time.Second)
		if err := w.RenewMail(ctx, got, time.Minute); err != nil {
			t.Fatal(err)
		}
		w.pass(50 * time.Second)
		_, err = reserve(entry(biller, "k1"))
		wantCode(t, "while it is still sent", err, apperr.Unavailable)
		if apperr.RetryAfterOf(err) != 10*time.Second {
			t.Errorf("retry after %v, renewed", apperr.RetryAfterOf(err))
		}

		w.pass(2 * time.Minute) // the sender died
		if got, err = reserve(entry(biller, "k1")); err != nil || got.Attempts != 2 || got.MessageID != want.MessageID {
			t.Errorf("taken over: %+v, %v", got, err)
		}
		late := got
		late.Attempts = 1 // the first sender was not dead, only held up
		if err := errors.Join(w.ReleaseMail(ctx, late, "timeout"), w.FailMail(ctx, late, "550 no"), w.RenewMail(ctx, late, time.Hour)); err != nil {
			t.Fatal(err)
		}
		_, err = reserve(entry(biller, "k1"))
		wantCode(t, "while the second sends", err, apperr.Unavailable)
		if apperr.RetryAfterOf(err) != time.Minute {
			t.Errorf("retry after %v, the first sender has renewed the claim of the second", apperr.RetryAfterOf(err))
		}
		if err := w.ReleaseMail(ctx, got, "451 later"); err != nil {
			t.Fatal(err)
		}
		if got, err = reserve(entry(biller, "k1")); err != nil || got.Attempts != 3 || got.Response != "451 later" {
			t.Errorf("after release: %+v, %v", got, err)
		}
		if err := w.AcceptMail(ctx, biller, portal, "k1", addon.Receipt{AcceptedAt: w.now, Response: "250 ok"}); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Hour)
		if got, err = reserve(entry(biller, "k1")); err != nil || got.State != addon.MailAccepted || got.Response != "250 ok" || got.AcceptedAt.IsZero() {
			t.Errorf("repeated: %+v, %v", got, err)
		}
		if err := w.ReleaseMail(ctx, got, "late loser"); err != nil {
			t.Fatal(err)
		}
		list, err := w.CustomerMails(ctx, biller, "c1", 10)
		if err != nil || len(list) != 1 || list[0].State != addon.MailAccepted {
			t.Errorf("list = %+v, %v", list, err)
		}
		theirs, err := w.CustomerMails(ctx, other, "c1", 10)
		if err != nil || len(theirs) != 1 || theirs[0].State != addon.MailReserved || theirs[0].Attempts != 1 {
			t.Errorf("the other biller's mail changed: %+v, %v", theirs, err)
		}
	})
}

func TestFailedMailStaysFailed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		mustInstall(t, w, biller)
		reserved, err := w.ReserveMail(ctx, entry(biller, "k"), caps(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.FailMail(ctx, reserved, "550 no such user"); err != nil {
			t.Fatal(err)
		}
		got, err := w.ReserveMail(ctx, entry(biller, "k"), caps(), time.Minute)
		if err != nil || got.State != addon.MailFailed || got.Response != "550 no such user" {
			t.Errorf("repeated: %+v, %v", got, err)
		}
	})
}

func TestMailCaps(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		mustInstall(t, w, biller)
		send := func(key string) error {
			_, err := w.ReserveMail(ctx, entry(biller, key), addon.MailCaps{Hour: 2, Day: 3}, time.Minute)
			return errors.Join(err)
		}
		wantCode(t, "1", send("1"), "")
		wantCode(t, "2", send("2"), "")
		wantCode(t, "3 in the hour", send("3"), apperr.TooManyRequests)
		w.pass(61 * time.Minute)
		wantCode(t, "retry of 2", send("2"), "")
		wantCode(t, "3", send("3"), "")
		wantCode(t, "4 in the day", send("4"), apperr.TooManyRequests)
		if err := send("4"); apperr.RetryAfterOf(err) == 0 {
			t.Errorf("no time to wait: %v", err)
		}
		w.pass(24 * time.Hour)
		wantCode(t, "4", send("4"), "")
	})
}

func TestMailReservationHasOneWinner(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		mustInstall(t, w, biller)
		for _, round := range []string{"first", "after the lease"} {
			var won, lost atomic.Int32
			race(func() {
				_, err := w.ReserveMail(t.Context(), entry(biller, "k"), caps(), time.Minute)
				switch {
				case err == nil:
					won.Add(1)
				case apperr.Is(err, apperr.Unavailable):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
			if won.Load() != 1 || lost.Load() != 15 {
				t.Errorf("%s: %d won, %d lost", round, won.Load(), lost.Load())
			}
			w.pass(2 * time.Minute)
		}
	})
}

func TestMailCapHoldsInARace(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		mustInstall(t, w, biller)
		var n, sent atomic.Int32
		race(func() {
			key := string(rune('a' + n.Add(1)))
			_, err := w.ReserveMail(t.Context(), entry(biller, key), addon.MailCaps{Hour: 5, Day: 100}, time.Minute)
			if err == nil {
				sent.Add(1)
			} else if !apperr.Is(err, apperr.TooManyRequests) {
				t.Error(err)
			}
		})
		if sent.Load() != 5 {
			t.Errorf("%d mails, want 5", sent.Load())
		}
	})
}

// TestLateRenewalHoldsTheClaim: while the database was away the claim ran out, but
// nobody else has begun, so the sender keeps it.
func TestLateRenewalHoldsTheClaim(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		mustInstall(t, w, biller)
		got, err := w.ReserveMail(ctx, entry(biller, "k1"), caps(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		w.pass(2 * time.Minute)
		if err := w.RenewMail(ctx, got, time.Minute); err != nil {
			t.Fatal(err)
		}
		_, err = w.ReserveMail(ctx, entry(biller, "k1"), caps(), time.Minute)
		wantCode(t, "while it is sent", err, apperr.Unavailable)
		list, err := w.CustomerMails(ctx, other, "c1", 10)
		if err != nil || len(list) != 1 || !list[0].UpdatedAt.Before(got.UpdatedAt.Add(time.Second)) {
			t.Errorf("the other biller's mail: %+v, %v", list, err)
		}
	})
}
