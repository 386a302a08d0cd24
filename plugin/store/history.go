package store

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

func addHistory(ctx context.Context, q querier, biller, customerID string, e portal.HistoryEntry) error {
	_, err := insertHistory(ctx, q, biller, customerID, "", e)
	return err
}

// insertHistory adds an entry, about a mail unless mailKey is empty. What became
// of a mail is told once: added is false for a repeated report.
func insertHistory(ctx context.Context, q querier, biller, customerID, mailKey string, e portal.HistoryEntry) (added bool, err error) {
	id, err := newID()
	if err != nil {
		return false, err
	}
	added, err = one(ctx, q, `
		INSERT INTO history (biller_id, id, customer_id, kind, detail, by_name, mail_key, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT DO NOTHING`,
		biller, id, customerID, string(e.Kind), e.Detail, e.By, mailKey, us(e.At))
	if err != nil {
		return false, fmt.Errorf("insert history: %w", err)
	}
	return added, nil
}

func history(ctx context.Context, q querier, biller, customerID string) ([]portal.HistoryEntry, error) {
	var rows []struct {
		Kind   string `db:"kind"`
		Detail string `db:"detail"`
		By     string `db:"by_name"`
		At     when   `db:"at"`
	}
	err := selectAll(ctx, q, &rows, `
		SELECT
			kind,
			detail,
			by_name,
			at
		FROM history
		WHERE biller_id = $1 AND customer_id = $2
		ORDER BY at DESC, id DESC
		LIMIT 100`, biller, customerID)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	entries := make([]portal.HistoryEntry, len(rows))
	for i, r := range rows {
		entries[i] = portal.HistoryEntry{At: r.At.Time, Kind: portal.HistoryKind(r.Kind), Detail: r.Detail, By: r.By}
	}
	return entries, nil
}

// sendTimes returns when invitations of a customer were sent for, oldest first.
func sendTimes(ctx context.Context, q querier, biller, customerID string, since time.Time) ([]time.Time, error) {
	return historyTimes(ctx, q, biller, customerID, portal.HistoryQueued, since)
}

// historyTimes returns when entries of a kind were made, oldest first.
func historyTimes(ctx context.Context, q querier, biller, customerID string, kind portal.HistoryKind, since time.Time) ([]time.Time, error) {
	return times(ctx, q, `
		SELECT at
		FROM history
		WHERE biller_id = $1 AND customer_id = $2 AND kind = $3 AND at > $4
		ORDER BY at`, biller, customerID, string(kind), us(since))
}

func times(ctx context.Context, q querier, query string, args ...any) ([]time.Time, error) {
	var rows []when
	if err := selectAll(ctx, q, &rows, query, args...); err != nil {
		return nil, fmt.Errorf("read times: %w", err)
	}
	out := make([]time.Time, len(rows))
	for i, r := range rows {
		out[i] = r.Time
	}
	return out, nil
}

// restartsTold is how many restarts a customer's history tells of in a day: whoever
// has a link may begin as often as their network lets them, and must not fill it.
const restartsTold = 10

// tellStart keeps in the customer's history that somebody signs up, or does so again.
func tellStart(ctx context.Context, q querier, biller string, link portal.Link, now time.Time) error {
	entry := portal.HistoryEntry{At: now, Kind: portal.HistoryStarted, Detail: "Email and password were entered."}
	if link.SignUp != nil {
		entry.Kind, entry.Detail = portal.HistoryRestarted, "The sign-up was started again. The earlier one ended."
		told, err := historyTimes(ctx, q, biller, link.Customer.ID, portal.HistoryRestarted, now.Add(-24*time.Hour))
		if err != nil || len(told) >= restartsTold {
			return err
		}
	}
	return addHistory(ctx, q, biller, link.Customer.ID, entry)
}
