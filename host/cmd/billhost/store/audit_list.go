package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const selectAuditEntry = `
		SELECT
			a.biller_id,
			a.id,
			a.at,
			a.addon_id,
			a.staff_id,
			a.portal_user,
			a.action,
			a.object,
			a.customer_id,
			a.request_id,
			a.remote_ip,
			a.detail,
			a.record_key,
			COALESCE(a.seq, 0) AS seq,
			COALESCE(p.name, '') AS staff_name,
			COALESCE(c.display_name, '') AS customer_name
		FROM audit a
		LEFT JOIN staff p
			ON p.biller_id = a.biller_id
			AND p.biller_id = $1
			AND p.id = a.staff_id
		LEFT JOIN customers c
			ON c.biller_id = a.biller_id
			AND c.biller_id = $1
			AND c.id = a.customer_id
		WHERE a.biller_id = $1`

type auditEntryRow struct {
	auditRow
	StaffName    string `db:"staff_name"`
	CustomerName string `db:"customer_name"`
}

func (r auditEntryRow) entry() books.AuditEntry {
	e := books.AuditEntry{
		AuditRecord: addon.AuditRecord{
			Key: r.RecordKey, At: r.At.UTC(), AddonID: r.AddonID, StaffID: r.StaffID, PortalUserClaim: r.PortalUser, Action: r.Action,
			Object: r.Object, CustomerID: r.CustomerID, RequestID: r.RequestID, RemoteIP: r.RemoteIP,
		},
		ID: r.ID, Seq: r.Seq, StaffName: r.StaffName, CustomerName: r.CustomerName,
	}
	if err := json.Unmarshal([]byte(r.Detail), &e.Detail); err != nil {
		e.Detail = map[string]string{"detail": r.Detail} // changed by hand: shown as it stands
	}
	return e
}

// FindAudit returns a page of the biller's records, the newest first. A page
// before another that would be short is the first page. Invalid for a cursor that
// is none and an unknown group.
func (s *Store) FindAudit(ctx context.Context, biller string, f books.AuditFilter) (books.AuditList, error) {
	limit, err := limited(f.Limit, 50, 1000)
	if err != nil {
		return books.AuditList{}, err
	}
	var rows []auditEntryRow
	back := f.Before != ""
	if back {
		if rows, err = s.auditRows(ctx, biller, f, f.Before, true, limit+1); err != nil {
			return books.AuditList{}, err
		}
		back = len(rows) > limit
		slices.Reverse(rows)
	}
	if !back {
		if rows, err = s.auditRows(ctx, biller, f, f.After, false, limit+1); err != nil {
			return books.AuditList{}, err
		}
	}
	return auditPage(rows, limit, back, f.After != ""), nil
}

// auditPage cuts off the row that tells whether there are more: the first one on
// the way back, else the last.
func auditPage(rows []auditEntryRow, limit int, back, started bool) books.AuditList {
	more := len(rows) > limit
	switch {
	case more && back:
		rows = rows[1:]
	case more:
		rows = rows[:limit]
	}
	var list books.AuditList
	for _, r := range rows {
		list.Entries = append(list.Entries, r.entry())
	}
	if len(rows) == 0 {
		return list
	}
	if back || started {
		list.Prev = auditCursor(rows[0])
	}
	if back || more {
		list.Next = auditCursor(rows[len(rows)-1])
	}
	return list
}

func auditCursor(r auditEntryRow) string {
	return cursor(strconv.FormatInt(r.At.UnixMicro(), 10), r.ID)
}

// auditRows reads on from a cursor, or back to newer ones.
func (s *Store) auditRows(ctx context.Context, biller string, f books.AuditFilter, from string, newer bool, limit int) (rows []auditEntryRow, err error) {
	q := &query{args: []any{biller}}
	order := `
		ORDER BY a.at DESC, a.id DESC`
	way := "<"
	if newer {
		way, order = ">", `
		ORDER BY a.at, a.id`
	}
	if from != "" {
		at, id, err := readAuditCursor(from)
		if err != nil {
			return nil, err
		}
		q.and("(a.at, a.id) "+way+" (?, ?)", at, id)
	}
	if err := q.filter(f); err != nil {
		return nil, err
	}
	q.args = append(q.args, limit)
	err = s.db.R.SelectContext(ctx, &rows, selectAuditEntry+q.where.String()+order+`
		LIMIT $`+strconv.Itoa(len(q.args)), q.args...)
	if err != nil {
		return nil, fmt.Errorf("find audit: %w", err)
	}
	return rows, nil
}

func readAuditCursor(s string) (time.Time, string, error) {
	values, err := uncursor(s, 2)
	if err != nil {
		return time.Time{}, "", err
	}
	micros, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || micros < 0 || micros > 1<<53 {
		return time.Time{}, "", apperr.Errorf(apperr.Invalid, "This page of the list does not exist.")
	}
	return time.UnixMicro(micros).UTC(), values[1], nil
}

// query collects conditions with their arguments.
type query struct {
	where strings.Builder
	args  []any
}

// and adds a condition; each ? in it stands for the next argument.
func (q *query) and(condition string, args ...any) {
	for _, a := range args {
		q.args = append(q.args, a)
		condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(q.args)), 1)
	}
	q.where.WriteString("\n\t\t\tAND " + condition)
}

// filter adds what was chosen. What is no text matches nothing.
func (q *query) filter(f books.AuditFilter) error {
	if !f.From.IsZero() {
		q.and("a.at >= ?", f.From.UTC())
	}
	if !f.Until.IsZero() {
		q.and("a.at < ?", f.Until.UTC())
	}
	for _, c := range []struct{ column, value string }{{"a.staff_id", f.StaffID}, {"a.customer_id", f.CustomerID}, {"a.addon_id", f.AddonID}, {"a.action", f.Action}} {
		if c.value != "" {
			q.and(c.column+" = ?", keep(c.value))
		}
	}
	if f.PortalUsers {
		q.and("a.portal_user <> ''")
	}
	if f.Platform {
		q.and("a.addon_id = ''")
	}
	if f.Group == "" {
		return nil
	}
	group, ok := books.FindAuditGroup(f.Group)
	if !ok {
		return apperr.Field("what", "Choose from the list.")
	}
	var any []string
	for _, action := range group.Actions {
		q.args = append(q.args, action)
		any = append(any, "a.action LIKE $"+strconv.Itoa(len(q.args))+` ESCAPE '\'`)
	}
	q.where.WriteString("\n\t\t\tAND (" + strings.Join(any, " OR ") + ")")
	return nil
}

// AuditAddons returns the ids of the add-ons that the biller's records name.
func (s *Store) AuditAddons(ctx context.Context, biller string) ([]string, error) {
	var list []string
	for last := ""; ; {
		var next string
		err := s.db.R.GetContext(ctx, &next, `
			SELECT COALESCE(MIN(addon_id), '')
			FROM audit
			WHERE biller_id = $1
				AND addon_id > $2`, biller, last)
		if err != nil {
			return nil, fmt.Errorf("list add-ons of the audit: %w", err)
		}
		if next == "" {
			return list, nil
		}
		list, last = append(list, next), next
	}
}
