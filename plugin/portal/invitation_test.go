package portal_test

import (
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const (
	queued     = portal.InvitationQueued
	sent       = portal.InvitationSent
	delivered  = portal.InvitationDelivered
	bounced    = portal.InvitationBounced
	complained = portal.InvitationComplained
	opened     = portal.InvitationOpened
	started    = portal.InvitationStarted
	accepted   = portal.InvitationAccepted
	expired    = portal.InvitationExpired
	revoked    = portal.InvitationRevoked
	failed     = portal.InvitationFailed
)

func TestNextSend(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	ago := func(ds ...time.Duration) (sent []time.Time) {
		for _, d := range ds {
			sent = append(sent, now.Add(-d))
		}
		return sent
	}
	tests := []struct {
		name string
		sent []time.Time
		want time.Duration
	}{
		{"never sent", nil, 0},
		{"just now", ago(0), time.Minute},
		{"30 seconds ago", ago(30 * time.Second), 30 * time.Second},
		{"a minute ago", ago(time.Minute), 0},
		{"four today", ago(4*time.Hour, 3*time.Hour, 2*time.Hour, time.Hour), 0},
		{"five today", ago(5*time.Hour, 4*time.Hour, 3*time.Hour, 2*time.Hour, time.Hour), 19 * time.Hour},
		{"six today", ago(6*time.Hour, 5*time.Hour, 4*time.Hour, 3*time.Hour, 2*time.Hour, time.Hour), 19 * time.Hour},
		{"five today, one just now", ago(24*time.Hour-time.Second, 4*time.Hour, 3*time.Hour, 2*time.Hour, 0), time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			next := portal.NextSend(tt.sent, portal.SendGap, portal.SendsADay, portal.SendWindow, now)
			var got time.Duration
			if !next.IsZero() {
				got = next.Sub(now)
			}
			if got != tt.want {
				t.Errorf("NextSend = in %v, want %v", got, tt.want)
			}
			if err := portal.CheckSend(tt.sent, now); (err != nil) != (tt.want > 0) || apperr.RetryAfterOf(err) != tt.want {
				t.Errorf("CheckSend = %v after %v", err, apperr.RetryAfterOf(err))
			}
		})
	}
}

func TestCheckInvitable(t *testing.T) {
	t.Parallel()
	good := portal.Customer{Email: "j@acme.com", EmailNorm: "j@acme.com"}
	archived, mute, odd := good, portal.Customer{}, portal.Customer{Email: "j at acme"}
	archived.Archived = true
	tests := []struct {
		name     string
		customer portal.Customer
		status   portal.Status
		access   bool
		want     apperr.Code
	}{
		{"good", good, portal.StatusNotInvited, false, ""},
		{"awaiting agreement with another address", good, portal.StatusAwaitingAgreement, false, ""},
		{"awaiting agreement", good, portal.StatusAwaitingAgreement, true, apperr.Conflict},
		{"registered", good, portal.StatusRegistered, true, apperr.Conflict},
		{"registered with another address", good, portal.StatusRegistered, false, ""},
		{"disabled", good, portal.StatusDisabled, true, apperr.Conflict},
		{"archived", archived, portal.StatusNotInvited, false, apperr.Invalid},
		{"archived and registered", archived, portal.StatusRegistered, false, apperr.Invalid},
		{"no email", mute, portal.StatusNoEmail, false, apperr.Invalid},
		{"no address", odd, portal.StatusNoEmail, false, apperr.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := apperr.CodeOf(portal.CheckInvitable(tt.customer, tt.status, tt.access)); got != tt.want {
				t.Errorf("CheckInvitable = %q, want %q", got, tt.want)
			}
		})
	}
}
