package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"modernc.org/sqlite"

	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

// maxStatement is how much of a statement's text a span holds, in bytes.
const maxStatement = 2 << 10

// openTraced opens a pool of SQLite connections whose statements are spans.
func openTraced(dsn string) (*sqlx.DB, error) {
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sqlx.NewDb(sql.OpenDB(traced{c, SQLite}), SQLite), nil
}

// traced makes connections whose statements are spans, where their context is
// traced: the text of the statement, never a value that is bound in it.
type traced struct {
	next driver.Connector
	// system is the database's name in the semantic conventions.
	system string
}

// Connect implements driver.Connector.
func (c traced) Connect(ctx context.Context) (driver.Conn, error) {
	raw, err := c.next.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if full, ok := raw.(fullConn); ok {
		return tracedConn{full, c.system}, nil
	}
	return raw, nil
}

// Driver implements driver.Connector.
func (c traced) Driver() driver.Driver { return c.next.Driver() }

// fullConn is what connections of both drivers can do.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type tracedConn struct {
	fullConn
	system string
}

// CheckNamedValue implements driver.NamedValueChecker.
func (c tracedConn) CheckNamedValue(v *driver.NamedValue) error {
	if own, ok := c.fullConn.(driver.NamedValueChecker); ok {
		return own.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c tracedConn) start(ctx context.Context, query string) (context.Context, trace.Span) {
	operation := operationOf(query)
	ctx, span := telemetry.Start(ctx, operation, trace.SpanKindClient)
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String("db.system.name", c.system),
			attribute.String("db.operation.name", operation),
			attribute.String("db.query.text", statement(query)),
		)
	}
	return ctx, span
}

// ExecContext implements driver.ExecerContext.
func (c tracedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	ctx, span := c.start(ctx, query)
	res, err := c.fullConn.ExecContext(ctx, query, args)
	endSQL(span, err)
	return res, err
}

// QueryContext implements driver.QueryerContext. The span ends with the rows.
func (c tracedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	inner, span := c.start(ctx, query)
	rows, err := c.fullConn.QueryContext(inner, query, args)
	if err != nil || !span.IsRecording() {
		endSQL(span, err)
		return rows, err
	}
	return &tracedRows{Rows: rows, span: span}, nil
}

// BeginTx implements driver.ConnBeginTx.
func (c tracedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	inner, span := c.start(ctx, "BEGIN")
	tx, err := c.fullConn.BeginTx(inner, opts)
	endSQL(span, err)
	if err != nil || !span.IsRecording() && !span.SpanContext().IsSampled() {
		return tx, err
	}
	return tracedTx{tx, ctx, c}, nil
}

// tracedTx makes the commit a span: the disk is waited for there.
type tracedTx struct {
	driver.Tx
	ctx  context.Context
	conn tracedConn
}

// Commit implements driver.Tx.
func (t tracedTx) Commit() error {
	_, span := t.conn.start(t.ctx, "COMMIT")
	err := t.Tx.Commit()
	endSQL(span, err)
	return err
}

// tracedRows ends the span of the query when they are closed. It exists only
// where a query is traced.
type tracedRows struct {
	driver.Rows
	span  trace.Span
	count int64
}

// Next implements driver.Rows.
func (r *tracedRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err == nil {
		r.count++
	} else if !errors.Is(err, io.EOF) {
		r.span.SetStatus(codes.Error, "read rows")
	}
	return err
}

// Close implements driver.Rows.
func (r *tracedRows) Close() error {
	err := r.Rows.Close()
	r.span.SetAttributes(attribute.Int64("db.response.returned_rows", r.count))
	endSQL(r.span, err)
	return err
}

// HasNextResultSet implements driver.RowsNextResultSet.
func (r *tracedRows) HasNextResultSet() bool {
	more, ok := r.Rows.(driver.RowsNextResultSet)
	return ok && more.HasNextResultSet()
}

// NextResultSet implements driver.RowsNextResultSet.
func (r *tracedRows) NextResultSet() error {
	if more, ok := r.Rows.(driver.RowsNextResultSet); ok {
		return more.NextResultSet()
	}
	return io.EOF
}

// ColumnTypeScanType implements driver.RowsColumnTypeScanType.
func (r *tracedRows) ColumnTypeScanType(index int) reflect.Type {
	if typed, ok := r.Rows.(driver.RowsColumnTypeScanType); ok {
		return typed.ColumnTypeScanType(index)
	}
	return reflect.TypeFor[any]()
}

// ColumnTypeDatabaseTypeName implements driver.RowsColumnTypeDatabaseTypeName.
func (r *tracedRows) ColumnTypeDatabaseTypeName(index int) string {
	if typed, ok := r.Rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return typed.ColumnTypeDatabaseTypeName(index)
	}
	return ""
}

// endSQL ends a span. The error's text stays out of it: databases quote values.
func endSQL(span trace.Span, err error) {
	if err != nil && !errors.Is(err, driver.ErrSkip) && !errors.Is(err, context.Canceled) {
		span.SetStatus(codes.Error, "statement failed")
	}
	span.End()
}

// operationOf returns the first word of a statement.
func operationOf(query string) string {
	query = strings.TrimLeft(query, " \t\r\n(")
	end := strings.IndexFunc(query, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') })
	if end < 0 {
		end = len(query)
	}
	if end == 0 || end > 12 {
		return "SQL"
	}
	return strings.ToUpper(query[:end])
}

// statement is the text on one line, cut to maxStatement.
func statement(query string) string {
	query = strings.Join(strings.Fields(query), " ")
	if len(query) <= maxStatement {
		return query
	}
	cut := maxStatement
	for !utf8.RuneStart(query[cut]) {
		cut--
	}
	return query[:cut]
}
