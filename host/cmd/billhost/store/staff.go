package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/email"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

type staffRow struct {
	BillerID string `db:"biller_id"`
	ID       string `db:"id"`
	Email    string `db:"email"`
	Name     string `db:"name"`
	Role     string `db:"role"`
	Disabled bool   `db:"disabled"`
}

func (r staffRow) staff() books.Staff {
	return books.Staff{ID: r.ID, BillerID: r.BillerID, Email: r.Email, Name: r.Name, Role: books.Role(r.Role), Disabled: r.Disabled}
}

// rowRole is the role within the biller: to it, an operator is an owner.
func rowRole(r books.Role) string {
	if r == books.Operator {
		return string(books.Owner)
	}
	return string(r)
}

// AddStaff keeps a new staff user of the biller. Errors: Invalid with the fields
// email, name and role; Conflict if the address is one of the biller's staff.
func (s *Store) AddStaff(ctx context.Context, p books.Staff) (books.Staff, error) {
	p.Email = strings.TrimSpace(p.Email)
	norm, err := email.Normalize(p.Email)
	if err != nil {
		return books.Staff{}, apperr.Field("email", "Enter an address like name@example.com.")
	}
	if p.Name, err = books.CheckStaffName(p.Name); err != nil {
		return books.Staff{}, err
	}
	if _, err := books.ParseRole(string(p.Role)); err != nil {
		return books.Staff{}, err
	}
	if p.ID, err = newID(); err != nil {
		return books.Staff{}, err
	}
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return books.Staff{}, err
	}
	defer tx.Rollback()

	_, err = tx.ExecContext(ctx, `
		INSERT INTO staff (biller_id, id, email, email_norm, name, role, operator, disabled, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		p.BillerID, p.ID, p.Email, norm, p.Name, rowRole(p.Role), p.Role == books.Operator, p.Disabled, s.now())
	if sqldb.IsUnique(err) {
		return books.Staff{}, apperr.Errorf(apperr.Conflict, "%s is a staff user of this biller already.", p.Email)
	}
	if err != nil {
		return books.Staff{}, fmt.Errorf("insert staff: %w", err)
	}
	record := addon.AuditRecord{Action: books.AuditStaffAdded, Object: p.ID, Detail: map[string]string{"role": string(p.Role)}}
	if err := s.audit(ctx, tx, p.BillerID, record); err != nil {
		return books.Staff{}, err
	}
	return p, tx.Commit()
}

// StaffByEmail returns the biller's staff user with the address, or NotFound.
func (s *Store) StaffByEmail(ctx context.Context, biller, address string) (books.Staff, error) {
	norm, err := email.Normalize(address)
	if err != nil {
		return books.Staff{}, apperr.Errorf(apperr.NotFound, "Nobody has this address.")
	}
	var row staffRow
	err = s.db.R.GetContext(ctx, &row, `
		SELECT
			biller_id,
			id,
			email,
			name,
			CASE WHEN operator THEN 'operator' ELSE role END AS role,
			disabled
		FROM staff
		WHERE biller_id = $1
			AND email_norm = $2`, biller, norm)
	if err != nil {
		return books.Staff{}, fmt.Errorf("get staff by email: %w", one(err, "Nobody has this address."))
	}
	return row.staff(), nil
}

// SetStaffRole gives a staff user another role; their sessions have it at once.
// Errors: Invalid with the field role, NotFound if there is none.
func (s *Store) SetStaffRole(ctx context.Context, biller, id string, role books.Role) error {
	if _, err := books.ParseRole(string(role)); err != nil {
		return err
	}
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	var from string
	err = tx.GetContext(ctx, &from, `
		SELECT CASE WHEN operator THEN 'operator' ELSE role END
		FROM staff
		WHERE biller_id = $1
			AND id = $2`+s.db.ForUpdate(), biller, id)
	if err != nil {
		return fmt.Errorf("get role: %w", one(err, "There is no such person."))
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE staff
		SET
			role = $3,
			operator = $4
		WHERE biller_id = $1
			AND id = $2`, biller, id, rowRole(role), role == books.Operator)
	if err != nil {
		return fmt.Errorf("update role: %w", err)
	}
	record := addon.AuditRecord{Action: books.AuditStaffRole, Object: id, Detail: map[string]string{"from": from, "to": string(role)}}
	if err := s.audit(ctx, tx, biller, record); err != nil {
		return err
	}
	return tx.Commit()
}

// DisableStaff closes or opens a staff user's account, ends the sessions and links
// of a closed one and forgets its browsers. NotFound if there is none.
func (s *Store) DisableStaff(ctx context.Context, biller, id string, disabled bool) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	done, err := tx.ExecContext(ctx, `
		UPDATE staff
		SET disabled = $3
		WHERE biller_id = $1
			AND id = $2`, biller, id, disabled)
	if err != nil {
		return fmt.Errorf("update staff: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return firstErr(err, apperr.Errorf(apperr.NotFound, "There is no such person."))
	}
	if disabled {
		if err := endStaff(ctx, tx, biller, id, false); err != nil {
			return err
		}
	}
	record := addon.AuditRecord{Action: books.AuditStaffEnabled, Object: id}
	if disabled {
		record.Action = books.AuditStaffDisabled
	}
	if err := s.audit(ctx, tx, biller, record); err != nil {
		return err
	}
	return tx.Commit()
}

// StaffToTell returns a staff user, disabled or not, with whom they can ask for
// help: the biller's other owners who may sign in, by name, three at most.
// NotFound if there is none.
func (s *Store) StaffToTell(ctx context.Context, biller, id string) (p books.Candidate, owners []books.Staff, err error) {
	var row struct {
		staffRow
		BillerName string `db:"biller_name"`
	}
	err = s.db.R.GetContext(ctx, &row, `
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
		WHERE p.biller_id = $1
			AND b.biller_id = $1
			AND p.id = $2`, biller, id)
	if err != nil {
		return books.Candidate{}, nil, fmt.Errorf("get staff: %w", one(err, "There is no such person."))
	}
	owners, err = s.staffWhere(ctx, `
			AND role = 'owner'
			AND NOT disabled
			AND id <> $2
		ORDER BY name, id
		LIMIT 3`, biller, id)
	if err != nil {
		return books.Candidate{}, nil, fmt.Errorf("list owners: %w", err)
	}
	return books.Candidate{Staff: row.staff(), BillerName: row.BillerName}, owners, nil
}

// FirstOwner returns the biller's owner who was added first, or NotFound.
func (s *Store) FirstOwner(ctx context.Context, biller string) (books.Staff, error) {
	owners, err := s.staffWhere(ctx, `
			AND role = 'owner'
			AND NOT disabled
		ORDER BY id
		LIMIT 1`, biller)
	if err != nil {
		return books.Staff{}, fmt.Errorf("get owner: %w", err)
	}
	if len(owners) == 0 {
		return books.Staff{}, apperr.Errorf(apperr.NotFound, "This biller has no owner.")
	}
	return owners[0], nil
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// StaffNames returns the biller's staff by name, disabled ones included, 500 at
// most: for choosing among them.
func (s *Store) StaffNames(ctx context.Context, biller string) ([]books.Staff, error) {
	staff, err := s.staffWhere(ctx, `
		ORDER BY name, id
		LIMIT 500`, biller)
	if err != nil {
		return nil, fmt.Errorf("list staff: %w", err)
	}
	return staff, nil
}

// staffWhere returns those of a biller's staff that the rest of the statement asks for.
func (s *Store) staffWhere(ctx context.Context, rest, biller string, args ...any) ([]books.Staff, error) {
	var rows []staffRow
	err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			biller_id,
			id,
			email,
			name,
			CASE WHEN operator THEN 'operator' ELSE role END AS role,
			disabled
		FROM staff
		WHERE biller_id = $1`+rest, append([]any{biller}, args...)...)
	if err != nil {
		return nil, err
	}
	staff := make([]books.Staff, len(rows))
	for i, r := range rows {
		staff[i] = r.staff()
	}
	return staff, nil
}
