package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const (
	// comeBack is when people are told to try again.
	comeBack = 5 * time.Second
	// dialLimit bounds the making of a connection, unless the address names a
	// connect_timeout of its own.
	dialLimit = 10 * time.Second
	// lastAnswer is how long a server may take to confirm that a statement was
	// cancelled. A server that is cut off never does.
	lastAnswer = 3 * time.Second
)

// lost makes an Unavailable error of one that says that the server cannot be
// reached, is shutting down or starting, or only reads. Other errors come back as
// they are.
func lost(err error) error {
	if err == nil || !isLost(err) {
		return err
	}
	return unreachable(err)
}

func unreachable(err error) error {
	wrapped := apperr.Wrap(apperr.Unavailable, "The database cannot be reached", oneLine{err})
	if e, ok := errors.AsType[*apperr.Error](wrapped); ok {
		e.RetryAfter = comeBack
	}
	return wrapped
}

func isLost(err error) bool {
	if _, ok := errors.AsType[*apperr.Error](err); ok {
		return false
	}
	if errors.Is(err, driver.ErrBadConn) {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok && !errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	e, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return false
	}
	switch e.Code {
	case pqerror.AdminShutdown, pqerror.CrashShutdown, pqerror.CannotConnectNow, pqerror.TooManyConnections,
		pqerror.ReadOnlySQLTransaction, pqerror.IdleSessionTimeout:
		return true
	}
	return e.Code.Class() == pqerror.ClassConnectionException
}

// connector opens connections whose errors tell a lost server from a wrong
// statement.
type connector struct{ config pq.Config }

func newConnector(dsn string) (*connector, error) {
	config, err := pq.NewConfig(dsn)
	if err != nil {
		return nil, err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = dialLimit
	}
	return &connector{config}, nil
}

// Driver implements driver.Connector.
func (*connector) Driver() driver.Driver { return &pq.Driver{} }

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	one, err := pq.NewConnectorConfig(c.config)
	if err != nil {
		return nil, err
	}
	wire := &dialer{}
	one.Dialer(wire)
	made, err := one.Connect(ctx)
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, err
		}
		return nil, unreachable(err)
	}
	inner, ok := made.(pqConn)
	if !ok {
		return nil, errors.Join(errors.New("the PostgreSQL driver lacks a method"), made.Close())
	}
	return &conn{pqConn: inner, wire: wire.last()}, nil
}

// dialer keeps the last connection that it made.
type dialer struct {
	net.Dialer
	mu   sync.Mutex
	made net.Conn
}

var _ pq.DialerContext = (*dialer)(nil)

// Dial implements pq.Dialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return d.keep(d.Dialer.Dial(network, address))
}

// DialTimeout implements pq.Dialer.
func (d *dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	return d.keep(net.DialTimeout(network, address, timeout))
}

// DialContext implements pq.DialerContext.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d.keep(d.Dialer.DialContext(ctx, network, address))
}

func (d *dialer) keep(made net.Conn, err error) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.made = made
	}
	return made, err
}

func (d *dialer) last() net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.made
}

// pqConn is what database/sql uses of the driver's connections.
type pqConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// conn turns the errors of a lost server into Unavailable, and ends the wait for
// one that no longer answers soon after the caller's context has ended.
type conn struct {
	pqConn
	wire net.Conn
}

// bounded cuts the connection off when ctx has ended and the server does not say
// so. The caller calls the function that it returns when it has its answer.
func (c *conn) bounded(ctx context.Context) (answered func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		late := time.NewTimer(lastAnswer)
		defer late.Stop()
		select {
		case <-over:
		case <-late.C:
			_ = c.wire.SetDeadline(time.Unix(1, 0)) // fails only once it is closed
		}
	})
	return sync.OnceFunc(func() { stop(); close(over) })
}

// BeginTx implements driver.ConnBeginTx.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	answered := c.bounded(ctx)
	inner, err := c.pqConn.BeginTx(ctx, opts)
	if err != nil {
		answered()
		return nil, lost(err)
	}
	return tx{inner, answered}, nil
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	defer c.bounded(ctx)()
	result, err := c.pqConn.ExecContext(ctx, query, args)
	return result, lost(err)
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	answered := c.bounded(ctx)
	inner, err := c.pqConn.QueryContext(ctx, query, args)
	if err != nil {
		answered()
		return nil, lost(err)
	}
	full, ok := inner.(pqRows)
	if !ok {
		answered()
		return nil, errors.Join(errors.New("the PostgreSQL driver's rows lack a method"), inner.Close())
	}
	return &rows{full, answered}, nil
}

// PrepareContext implements driver.ConnPrepareContext. Statements are prepared by
// tools only; their errors come as they are.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	defer c.bounded(ctx)()
	inner, err := c.pqConn.PrepareContext(ctx, query)
	return inner, lost(err)
}

// Ping implements driver.Pinger.
func (c *conn) Ping(ctx context.Context) error {
	defer c.bounded(ctx)()
	return lost(c.pqConn.Ping(ctx))
}

type tx struct {
	inner    driver.Tx
	answered func()
}

// Commit implements driver.Tx. After an Unavailable error nobody knows whether it
// took place.
func (t tx) Commit() error {
	defer t.answered()
	return lost(t.inner.Commit())
}

// Rollback implements driver.Tx.
func (t tx) Rollback() error {
	defer t.answered()
	return lost(t.inner.Rollback())
}

// pqRows is what database/sql uses of the driver's rows.
type pqRows interface {
	driver.Rows
	driver.RowsNextResultSet
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeScanType
}

type rows struct {
	pqRows
	answered func()
}

// Next implements driver.Rows.
func (r *rows) Next(dest []driver.Value) error { return lost(r.pqRows.Next(dest)) }

// Close implements driver.Rows.
func (r *rows) Close() error {
	defer r.answered()
	return lost(r.pqRows.Close())
}
