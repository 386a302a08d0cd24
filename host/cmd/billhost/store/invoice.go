package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

type invoiceRow struct {
	ID         string `db:"id"`
	Number     string `db:"number"`
	CustomerID string `db:"customer_id"`
	Title      string `db:"title"`
	Status     string `db:"status"`
	IssuedOn   string `db:"issued_on"`
	DueOn      string `db:"due_on"`
	Currency   string `db:"currency"`
	Subtotal   int64  `db:"subtotal"`
	Tax        int64  `db:"tax"`
	Total      int64  `db:"total"`
	Paid       int64  `db:"paid"`
	Balance    int64  `db:"balance"`
	Memo       string `db:"memo"`
	Street     string `db:"street"`
	City       string `db:"city"`
	State      string `db:"state"`
	Zip        string `db:"zip"`
	Country    string `db:"country"`
}

const selectInvoice = `
		SELECT
			i.id,
			i.number,
			i.customer_id,
			i.title,
			i.status,
			i.issued_on,
			i.due_on,
			i.currency,
			i.subtotal,
			i.tax,
			i.total,
			i.paid,
			i.balance,
			i.memo,
			i.street,
			i.city,
			i.state,
			i.zip,
			i.country
		FROM invoices i
		WHERE i.biller_id = $1`

const noInvoice = "There is no such invoice."

func (r invoiceRow) invoice() (sdk.Invoice, error) {
	issued, err := time.Parse(time.DateOnly, r.IssuedOn)
	if err != nil {
		return sdk.Invoice{}, fmt.Errorf("read invoice %s: %w", r.ID, err)
	}
	due, err := time.Parse(time.DateOnly, r.DueOn)
	if err != nil {
		return sdk.Invoice{}, fmt.Errorf("read invoice %s: %w", r.ID, err)
	}
	money := func(minor int64) sdk.Money { return sdk.Money{Minor: minor, Currency: r.Currency} }
	return sdk.Invoice{
		ID: r.ID, Number: r.Number, CustomerID: r.CustomerID, Title: r.Title, Status: r.Status,
		IssuedOn: issued, DueOn: due,
		Subtotal: money(r.Subtotal), Tax: money(r.Tax), Total: money(r.Total), Paid: money(r.Paid), Balance: money(r.Balance),
		Memo:   r.Memo,
		BillTo: sdk.Address{Street: r.Street, City: r.City, State: r.State, Zip: r.Zip, Country: r.Country},
	}, nil
}

// Invoice returns the invoice with its lines, or NotFound.
func (s *Store) Invoice(ctx context.Context, biller, id string) (sdk.Invoice, error) {
	if !text(id) {
		return sdk.Invoice{}, apperr.Errorf(apperr.NotFound, noInvoice)
	}
	var row invoiceRow
	err := s.db.R.GetContext(ctx, &row, selectInvoice+`
			AND i.id = $2`, biller, id)
	if err != nil {
		return sdk.Invoice{}, fmt.Errorf("get invoice: %w", one(err, noInvoice))
	}
	inv, err := row.invoice()
	if err != nil {
		return sdk.Invoice{}, err
	}
	inv.Lines, err = s.lines(ctx, biller, id, row.Currency)
	return inv, err
}

type lineRow struct {
	Description   string `db:"description"`
	Detail        string `db:"detail"`
	QuantityMilli int64  `db:"quantity_milli"`
	UnitPrice     int64  `db:"unit_price"`
	Amount        int64  `db:"amount"`
}

func (s *Store) lines(ctx context.Context, biller, invoice, currency string) ([]sdk.InvoiceLine, error) {
	var rows []lineRow
	err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			description,
			detail,
			quantity_milli,
			unit_price,
			amount
		FROM invoice_lines
		WHERE biller_id = $1
			AND invoice_id = $2
		ORDER BY position`, biller, invoice)
	if err != nil {
		return nil, fmt.Errorf("list invoice lines: %w", err)
	}
	out := make([]sdk.InvoiceLine, len(rows))
	for i, r := range rows {
		out[i] = sdk.InvoiceLine{
			Description: r.Description, Detail: r.Detail, QuantityMilli: r.QuantityMilli,
			UnitPrice: sdk.Money{Minor: r.UnitPrice, Currency: currency},
			Amount:    sdk.Money{Minor: r.Amount, Currency: currency},
		}
	}
	return out, nil
}

// ListInvoices returns a page of a customer's invoices without lines, ordered by
// due date, then number. Errors: NotFound for a customer that is not the
// biller's, Invalid for a limit above 200 or a cursor that is none.
func (s *Store) ListInvoices(ctx context.Context, biller string, q sdk.InvoiceQuery) (sdk.InvoicePage, error) {
	limit, err := limited(q.Limit, 50, 200)
	if err != nil {
		return sdk.InvoicePage{}, err
	}
	after := []string{"", ""}
	if q.After != "" {
		if after, err = uncursor(q.After, 2); err != nil {
			return sdk.InvoicePage{}, err
		}
	}
	if _, err := s.Customer(ctx, biller, q.CustomerID); err != nil {
		return sdk.InvoicePage{}, err
	}
	open := ""
	if q.OpenOnly {
		open = `
			AND i.status = 'open'
			AND i.balance <> 0`
	}
	var rows []invoiceRow
	err = s.db.R.SelectContext(ctx, &rows, selectInvoice+`
			AND i.customer_id = $2
			AND (i.due_on, i.number) > ($3, $4)`+open+`
		ORDER BY i.due_on, i.number
		LIMIT $5`, biller, q.CustomerID, after[0], after[1], limit+1)
	if err != nil {
		return sdk.InvoicePage{}, fmt.Errorf("list invoices: %w", err)
	}
	page := sdk.InvoicePage{}
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = cursor(rows[limit-1].DueOn, rows[limit-1].Number)
	}
	for _, r := range rows {
		inv, err := r.invoice()
		if err != nil {
			return sdk.InvoicePage{}, err
		}
		page.Invoices = append(page.Invoices, inv)
	}
	return page, nil
}

// insertInvoice keeps an invoice with its lines. Amounts come from books.Total.
func (s *Store) insertInvoice(ctx context.Context, tx *sqlx.Tx, biller string, inv sdk.Invoice, opening bool) error {
	if err := books.CheckTotals(inv); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO invoices (
			biller_id, id, number, customer_id, opening, title, status, issued_on, due_on, currency,
			subtotal, tax, total, paid, balance, memo, street, city, state, zip, country, created_at
		)
		VALUES (
			$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
			$17, $18, $19, $20, $21, $22
		)`,
		biller, inv.ID, inv.Number, inv.CustomerID, opening, inv.Title, inv.Status,
		inv.IssuedOn.Format(time.DateOnly), inv.DueOn.Format(time.DateOnly), inv.Total.Currency,
		inv.Subtotal.Minor, inv.Tax.Minor, inv.Total.Minor, inv.Paid.Minor, inv.Balance.Minor, inv.Memo,
		inv.BillTo.Street, inv.BillTo.City, inv.BillTo.State, inv.BillTo.Zip, inv.BillTo.Country, s.now())
	if sqldb.IsUnique(err) {
		return apperr.Errorf(apperr.Conflict, "There is an invoice %s already.", inv.Number)
	}
	if err != nil {
		return fmt.Errorf("insert invoice: %w", err)
	}
	for i, l := range inv.Lines {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO invoice_lines (
				biller_id, invoice_id, position, description, detail, quantity_milli, unit_price, amount
			)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			biller, inv.ID, i+1, l.Description, l.Detail, l.QuantityMilli, l.UnitPrice.Minor, l.Amount.Minor)
		if err != nil {
			return fmt.Errorf("insert invoice line: %w", err)
		}
	}
	return nil
}

// sumBalance writes the customer's open balance, derived from its invoices.
func sumBalance(ctx context.Context, tx *sqlx.Tx, biller, customerID string) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE customers
		SET open_balance = (
			SELECT CAST(COALESCE(SUM(i.balance), 0) AS BIGINT)
			FROM invoices i
			WHERE i.biller_id = $1
				AND i.customer_id = $2
				AND i.status = 'open'
		)
		WHERE biller_id = $1
			AND id = $2`, biller, customerID)
	if err != nil {
		return fmt.Errorf("sum balance: %w", err)
	}
	return nil
}

// BillerTotals counts for the overview.
type BillerTotals struct {
	Customers    int64 `db:"customers"`
	OpenInvoices int64 `db:"open_invoices"`
	OpenBalance  int64 `db:"open_balance"`
	Overdue      int64 `db:"overdue"`
}

// Totals counts the biller's customers and open invoices as of a day.
func (s *Store) Totals(ctx context.Context, biller string, today time.Time) (BillerTotals, error) {
	var t BillerTotals
	err := s.db.R.GetContext(ctx, &t, `
		SELECT
			(SELECT COUNT(*) FROM customers c WHERE c.biller_id = $1 AND NOT c.archived) AS customers,
			COUNT(*) AS open_invoices,
			CAST(COALESCE(SUM(i.balance), 0) AS BIGINT) AS open_balance,
			CAST(COALESCE(SUM(CASE WHEN i.due_on < $2 THEN i.balance ELSE 0 END), 0) AS BIGINT) AS overdue
		FROM invoices i
		WHERE i.biller_id = $1
			AND i.status = 'open'`, biller, today.Format(time.DateOnly))
	if err != nil {
		return BillerTotals{}, fmt.Errorf("sum invoices: %w", err)
	}
	return t, nil
}

// OverdueInvoices returns the biller's open invoices that are due longest, at most limit.
func (s *Store) OverdueInvoices(ctx context.Context, biller string, today time.Time, limit int) ([]sdk.Invoice, error) {
	var rows []invoiceRow
	err := s.db.R.SelectContext(ctx, &rows, selectInvoice+`
			AND i.status = 'open'
			AND i.due_on < $2
		ORDER BY i.due_on, i.number
		LIMIT $3`, biller, today.Format(time.DateOnly), limit)
	if err != nil {
		return nil, fmt.Errorf("list overdue invoices: %w", err)
	}
	out := make([]sdk.Invoice, 0, len(rows))
	for _, r := range rows {
		inv, err := r.invoice()
		if err != nil {
			return nil, err
		}
		out = append(out, inv)
	}
	return out, nil
}
