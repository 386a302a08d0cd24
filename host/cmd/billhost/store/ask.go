package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// AskJob is the kind of the jobs that deal with a books.Ask; Platform is whose
// they are: an address belongs to no biller before it has signed in.
const (
	AskJob   = "staff"
	Platform = "platform"
)

// asksKept is how long an ask waits whose job has failed for good.
const asksKept = 7 * 24 * time.Hour

// sweptAtOnce bounds what one sign-in clears away.
const sweptAtOnce = 10_000

// noticeAttempts last for asksKept, at waits of five minutes halved at random: people
// must hear of a new password even if the mail server was away for days.
const noticeAttempts = 4100

// AskRef is the payload of an AskJob.
type AskRef struct {
	ID string `json:"id"`
}

// count counts a try in each budget and returns when the last of those that are
// used up ends; zero if none is.
func (s *Store) count(ctx context.Context, tx *sqlx.Tx, budgets []books.Budget, now time.Time) (retryAt time.Time, err error) {
	if len(budgets) == 0 {
		return time.Time{}, nil
	}
	values, args, limits := []string{}, []any{now.UnixMicro()}, map[string]int{}
	for _, b := range budgets {
		n := len(args)
		values = append(values, fmt.Sprintf("($%d, 1, 0, 0, $%d)", n+1, n+2))
		args = append(args, b.Name, now.Add(b.Window).UnixMicro())
		limits[b.Name] = b.Limit
	}
	var rows []struct {
		Name   string `db:"name"`
		Tries  int    `db:"tries"`
		EndsAt int64  `db:"ends_at"`
	}
	err = tx.SelectContext(ctx, &rows, `
		INSERT INTO staff_tries (name, tries, refused, open_at, ends_at)
		VALUES `+strings.Join(values, ", ")+`
		ON CONFLICT (name) DO UPDATE SET
			tries = CASE WHEN staff_tries.ends_at <= $1 THEN 1 ELSE staff_tries.tries + 1 END,
			ends_at = CASE WHEN staff_tries.ends_at <= $1 THEN excluded.ends_at ELSE staff_tries.ends_at END
		RETURNING
			name,
			tries,
			ends_at`, args...)
	if err != nil {
		return time.Time{}, fmt.Errorf("count try: %w", err)
	}
	for _, r := range rows {
		if ends := time.UnixMicro(r.EndsAt).UTC(); r.Tries > limits[r.Name] && ends.After(retryAt) {
			retryAt = ends
		}
	}
	return retryAt, nil
}

// accountName names the tries of an account. Addresses are kept as a hash: the
// table would be a list of them.
func accountName(account string) string { return "account " + hash([]byte(account)) }

// TakeGuess counts a try to guess a password before it is compared: of an account
// ("email …", "staff …") and from an address. retryAt is zero if it may be made;
// wrong is how many are wrong if this one is.
func (s *Store) TakeGuess(ctx context.Context, account string, ip netip.Addr) (wrong int, retryAt time.Time, err error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return 0, time.Time{}, err
	}
	defer tx.Rollback()
	now := s.now()
	if retryAt, err = s.count(ctx, tx, books.Budgets("guess", ip), now); err != nil {
		return 0, time.Time{}, err
	}
	if retryAt.IsZero() {
		if wrong, retryAt, err = takeDelayed(ctx, tx, accountName(account), now); err != nil {
			return 0, time.Time{}, err
		}
	}
	return wrong, retryAt, tx.Commit()
}

func takeDelayed(ctx context.Context, tx *sqlx.Tx, name string, now time.Time) (wrong int, retryAt time.Time, err error) {
	var row struct {
		Tries   int   `db:"tries"`
		Refused int   `db:"refused"`
		OpenAt  int64 `db:"open_at"`
		EndsAt  int64 `db:"ends_at"`
	}
	err = tx.GetContext(ctx, &row, `
		INSERT INTO staff_tries (name, tries, refused, open_at, ends_at)
		VALUES ($1, 0, 0, 0, 0)
		ON CONFLICT (name) DO UPDATE SET name = excluded.name
		RETURNING
			tries,
			refused,
			open_at,
			ends_at`, name)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("lock tries: %w", err)
	}
	next, retryAt := books.Tries{
		Count: row.Tries, Refused: row.Refused, OpenAt: time.UnixMicro(row.OpenAt).UTC(), ForgottenAt: time.UnixMicro(row.EndsAt).UTC(),
	}.Next(now)
	open := int64(0)
	if !next.OpenAt.IsZero() {
		open = next.OpenAt.UnixMicro()
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE staff_tries
		SET
			tries = $2,
			refused = $3,
			open_at = $4,
			ends_at = $5
		WHERE name = $1`, name, next.Count, next.Refused, open, next.ForgottenAt.UnixMicro())
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count try: %w", err)
	}
	return next.Count, retryAt, nil
}

// ReturnGuess gives a right try back, and forgets the wrong ones of the account.
func (s *Store) ReturnGuess(ctx context.Context, account string, ip netip.Addr) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	now := s.now().UnixMicro()
	for _, b := range books.Budgets("guess", ip) {
		_, err := tx.ExecContext(ctx, `
			UPDATE staff_tries
			SET tries = tries - 1
			WHERE name = $1
				AND tries > 0
				AND ends_at > $2`, b.Name, now)
		if err != nil {
			return fmt.Errorf("return try: %w", err)
		}
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM staff_tries
		WHERE name = $1`, accountName(account))
	if err != nil {
		return fmt.Errorf("forget tries: %w", err)
	}
	return tx.Commit()
}

// sweepTries forgets tries and asks of everybody that are past. It waits for nobody:
// what others hold goes another time.
func (s *Store) sweepTries(ctx context.Context, tx *sqlx.Tx, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		WITH dead AS MATERIALIZED (
			SELECT name
			FROM staff_tries
			WHERE ends_at <= $1
			LIMIT $2`+s.db.SkipLocked()+`)
		DELETE FROM staff_tries
		WHERE name IN (SELECT name FROM dead)`, now.UnixMicro(), sweptAtOnce)
	if err != nil {
		return fmt.Errorf("sweep tries: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		WITH dead AS MATERIALIZED (
			SELECT id
			FROM staff_asks
			WHERE at <= $1
			LIMIT $2`+s.db.SkipLocked()+`)
		DELETE FROM staff_asks
		WHERE id IN (SELECT id FROM dead)`, now.Add(-asksKept).UnixMicro(), sweptAtOnce)
	if err != nil {
		return fmt.Errorf("sweep asks: %w", err)
	}
	return nil
}

// RefuseGuess keeps that a try of an address was wrong, and has its owner told
// where the delays begin: the same statements whether the address is somebody's
// or nobody's.
func (s *Store) RefuseGuess(ctx context.Context, emailNorm string, wrong int) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	now := s.now()
	flooded, err := s.count(ctx, tx, []books.Budget{books.RefusalsKept()}, now)
	if err != nil {
		return err
	}
	if !flooded.IsZero() {
		return tx.Commit()
	}
	if err := s.ask(ctx, tx, books.Ask{Kind: books.AskRefused, EmailNorm: emailNorm, At: now}); err != nil {
		return err
	}
	if wrong == books.FreeTries {
		told, err := s.count(ctx, tx, []books.Budget{books.BlockedNotices("told " + hash([]byte(emailNorm)))}, now)
		if err != nil {
			return err
		}
		if told.IsZero() {
			if err := s.ask(ctx, tx, books.Ask{Kind: books.AskBlocked, EmailNorm: emailNorm, At: now}); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

// AskStaffLink has a one-time link mailed to whoever has the address, the same
// statements for nobody; next is where it leads. retryAt is set if too many were
// asked for from this address or network, or from everywhere; an address that has
// asked for too many is told nothing.
func (s *Store) AskStaffLink(ctx context.Context, emailNorm, next string, ip netip.Addr) (retryAt time.Time, err error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer tx.Rollback()
	now := s.now()
	if retryAt, err = s.count(ctx, tx, books.Budgets("ask", ip), now); err != nil {
		return time.Time{}, err
	}
	if retryAt.IsZero() {
		if retryAt, err = s.count(ctx, tx, []books.Budget{books.LinksAsked()}, now); err != nil {
			return time.Time{}, err
		}
	}
	if !retryAt.IsZero() {
		return retryAt, tx.Commit()
	}
	used, err := s.count(ctx, tx, []books.Budget{books.LinkAsks("link " + hash([]byte(emailNorm)))}, now)
	if err != nil {
		return time.Time{}, err
	}
	if used.IsZero() {
		if err := s.ask(ctx, tx, books.Ask{Kind: books.AskLink, EmailNorm: emailNorm, Next: next, At: now}); err != nil {
			return time.Time{}, err
		}
	}
	return time.Time{}, tx.Commit()
}

// askTries outlast, at the outbox's longest wait of five minutes, a mail server
// that is down for a night.
const askTries = 150

// ask keeps an ask and the job that deals with it; it comes from the address of the
// books.Actor.
func (s *Store) ask(ctx context.Context, tx *sqlx.Tx, a books.Ask) error {
	id, err := newID()
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO staff_asks (id, kind, email_norm, ip, next, at, staff_biller, staff_id, agent)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		id, a.Kind, a.EmailNorm, books.ActorFrom(ctx).IP, a.Next, a.At.UnixMicro(), a.BillerID, a.StaffID, a.Agent)
	if err != nil {
		return fmt.Errorf("insert ask: %w", err)
	}
	payload, err := json.Marshal(AskRef{ID: id})
	if err != nil {
		return fmt.Errorf("encode ask: %w", err)
	}
	job := jobs.Job{Biller: Platform, Kind: AskJob, Payload: string(payload), MaxAttempts: askTries}
	if a.Tells() {
		job.MaxAttempts = noticeAttempts
	}
	return jobs.Enqueue(ctx, tx, job)
}

// Ask returns what a job deals with; found is false once that is done.
func (s *Store) Ask(ctx context.Context, id string) (a books.Ask, found bool, err error) {
	var row struct {
		Kind      string `db:"kind"`
		EmailNorm string `db:"email_norm"`
		IP        string `db:"ip"`
		Next      string `db:"next"`
		At        int64  `db:"at"`
		Biller    string `db:"staff_biller"`
		StaffID   string `db:"staff_id"`
		Agent     string `db:"agent"`
	}
	err = s.db.R.GetContext(ctx, &row, `
		SELECT
			kind,
			email_norm,
			ip,
			next,
			at,
			staff_biller,
			staff_id,
			agent
		FROM staff_asks
		WHERE id = $1`, id)
	if errors.Is(err, sql.ErrNoRows) {
		return books.Ask{}, false, nil
	}
	if err != nil {
		return books.Ask{}, false, fmt.Errorf("find ask: %w", err)
	}
	return books.Ask{
		ID: id, Kind: row.Kind, EmailNorm: row.EmailNorm, IP: row.IP, Next: row.Next, At: time.UnixMicro(row.At).UTC(),
		BillerID: row.Biller, StaffID: row.StaffID, Agent: row.Agent,
	}, true, nil
}

// Asked forgets an ask that was dealt with.
func (s *Store) Asked(ctx context.Context, id string) error {
	_, err := s.db.W.ExecContext(ctx, `
		DELETE FROM staff_asks
		WHERE id = $1`, id)
	if err != nil {
		return fmt.Errorf("forget ask: %w", err)
	}
	return nil
}

// StaffOf returns everybody with a normalised address who may sign in, over all
// billers, and the names of these.
func (s *Store) StaffOf(ctx context.Context, emailNorm string) ([]books.Candidate, error) {
	var rows []struct {
		staffRow
		BillerName string `db:"biller_name"`
	}
	err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			p.biller_id,
			p.id,
			p.email,
			p.name,
			CASE WHEN p.operator THEN 'operator' ELSE p.role END AS role,
			p.disabled,
			b.name AS biller_name
		FROM staff p
		JOIN billers b
			ON b.biller_id = p.biller_id
		WHERE p.email_norm = $1
			AND NOT p.disabled
		ORDER BY p.biller_id, p.id
		LIMIT 50`, emailNorm)
	if err != nil {
		return nil, fmt.Errorf("find staff: %w", err)
	}
	out := make([]books.Candidate, len(rows))
	for i, r := range rows {
		out[i] = books.Candidate{Staff: r.staff(), BillerName: r.BillerName}
	}
	return out, nil
}

// RecordRefused writes a wrong try into the audit of each biller whose staff the
// address is. Writing it again does nothing.
func (s *Store) RecordRefused(ctx context.Context, a books.Ask) error {
	people, err := s.StaffOf(ctx, a.EmailNorm)
	if err != nil {
		return err
	}
	action := books.AuditStaffRefused
	if a.Kind == books.AskBlocked {
		action = books.AuditStaffBlocked
	}
	for _, p := range people {
		record := addon.AuditRecord{Key: a.ID, At: a.At, Action: action, Object: p.ID, RemoteIP: a.IP, Detail: map[string]string{"with": "password"}}
		if err := s.RecordAudit(ctx, p.BillerID, record); err != nil {
			return err
		}
	}
	return nil
}
