package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// auditAfter is when a job writes an activity into the audit log, which the
// request that did it has usually done by then.
const auditAfter = 30 * time.Second

// record keeps an activity in the transaction that does it, with the job that
// carries it to the audit log and, where the person or staff are told, the mails.
func (s *Store) record(ctx context.Context, tx *sqlx.Tx, biller string, a portal.Activity) error {
	if a.Action.Notice() && a.NoticeTo == "" {
		found, err := get(ctx, tx, &a.NoticeTo, `
			SELECT email
			FROM users
			WHERE biller_id = $1 AND id = $2`, biller, a.UserID)
		if err != nil || !found {
			return fmt.Errorf("find whom to tell (found: %t): %w", found, err)
		}
	}
	if err := keep(ctx, tx, biller, a); err != nil {
		return err
	}
	if a.NoticeTo != "" {
		if err := s.tellPerson(ctx, tx, biller, a); err != nil {
			return err
		}
	}
	return tellStaff(ctx, tx, biller, a)
}

// keep inserts an activity and the job that carries it to the audit log.
func keep(ctx context.Context, tx *sqlx.Tx, biller string, a portal.Activity) error {
	if err := insertActivity(ctx, tx, biller, a); err != nil {
		return err
	}
	payload, err := json.Marshal(portal.AuditRef{ID: a.ID})
	if err != nil {
		return fmt.Errorf("encode audit job: %w", err)
	}
	job := jobs.Job{Biller: biller, Kind: portal.JobAudit, Payload: string(payload), IdemKey: "audit/" + a.ID, RunAt: a.At.Add(auditAfter)}
	return jobs.Enqueue(ctx, tx, job)
}

func insertActivity(ctx context.Context, q querier, biller string, a portal.Activity) error {
	detail, err := json.Marshal(a.Detail)
	if err != nil {
		return fmt.Errorf("encode activity: %w", err)
	}
	_, err = q.ExecContext(ctx, `
		INSERT INTO activity (
			biller_id, id, action, user_id, customer_id, object, staff_id, staff_name, ip, agent, detail, notice_to, at
		)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		biller, a.ID, string(a.Action), a.UserID, a.CustomerID, a.Object, a.By.ID, a.By.Name, a.IP, a.Agent,
		string(detail), a.NoticeTo, us(a.At))
	if err != nil {
		return fmt.Errorf("insert activity: %w", err)
	}
	return nil
}

// tellPerson sends the notice, whose link lets the person disown what happened.
func (s *Store) tellPerson(ctx context.Context, tx *sqlx.Tx, biller string, a portal.Activity) error {
	if a.Action.Disownable() {
		if err := s.insertDisownToken(ctx, tx, biller, a); err != nil {
			return err
		}
	}
	return enqueueMail(ctx, tx, biller, portal.MailRef{Kind: portal.MailNotice, ID: a.ID}, a.At)
}

func (s *Store) insertDisownToken(ctx context.Context, q querier, biller string, a portal.Activity) error {
	token := s.keys.Token(portal.PurposeDisown, biller, a.ID, 0, 0)
	return insertToken(ctx, q, biller, portal.Token{
		Hash: s.keys.Hash(biller, token), Purpose: portal.PurposeDisown, SubjectID: a.ID,
		CreatedAt: a.At, ExpiresAt: a.At.Add(portal.DisownLife),
	})
}

type activityRow struct {
	ID         string `db:"id"`
	Action     string `db:"action"`
	UserID     string `db:"user_id"`
	CustomerID string `db:"customer_id"`
	Object     string `db:"object"`
	StaffID    string `db:"staff_id"`
	StaffName  string `db:"staff_name"`
	IP         string `db:"ip"`
	Agent      string `db:"agent"`
	Detail     string `db:"detail"`
	NoticeTo   string `db:"notice_to"`
	At         when   `db:"at"`
}

const selectActivity = `
	SELECT
		id,
		action,
		user_id,
		customer_id,
		object,
		staff_id,
		staff_name,
		ip,
		agent,
		detail,
		notice_to,
		at
	FROM activity
	WHERE biller_id = $1`

func (r activityRow) activity() (portal.Activity, error) {
	a := portal.Activity{
		ID: r.ID, Action: portal.Action(r.Action), UserID: r.UserID, CustomerID: r.CustomerID, Object: r.Object,
		By: portal.Actor{ID: r.StaffID, Name: r.StaffName}, IP: r.IP, Agent: r.Agent, NoticeTo: r.NoticeTo, At: r.At.Time,
	}
	if err := json.Unmarshal([]byte(r.Detail), &a.Detail); err != nil {
		return portal.Activity{}, fmt.Errorf("decode activity: %w", err)
	}
	return a, nil
}

// Activity implements portal.ActivityStore.
func (s *Store) Activity(ctx context.Context, biller, id string) (portal.Activity, error) {
	return findActivity(ctx, s.db.R, biller, id)
}

func findActivity(ctx context.Context, q querier, biller, id string) (portal.Activity, error) {
	var row activityRow
	found, err := get(ctx, q, &row, selectActivity+` AND id = $2`, biller, id)
	if err != nil {
		return portal.Activity{}, fmt.Errorf("find activity: %w", err)
	}
	if !found {
		return portal.Activity{}, apperr.Errorf(apperr.NotFound, "This activity does not exist.")
	}
	return row.activity()
}

// RecentActivity implements portal.ActivityStore.
func (s *Store) RecentActivity(ctx context.Context, biller, userID string, limit int) ([]portal.Activity, error) {
	var rows []activityRow
	if err := selectAll(ctx, s.db.R, &rows, selectActivity+`
		AND user_id = $2 AND user_id <> ''
		ORDER BY at DESC, id DESC
		LIMIT $3`, biller, userID, limit); err != nil {
		return nil, fmt.Errorf("read activity: %w", err)
	}
	out := make([]portal.Activity, len(rows))
	for i, r := range rows {
		a, err := r.activity()
		if err != nil {
			return nil, err
		}
		out[i] = a
	}
	return out, nil
}
