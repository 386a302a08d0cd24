// Package sdk is the contract between a billing platform and its add-ons, as an
// add-on author sees it: plain Go types, http.Handler, context and errors.
//
// An add-on is a program of its own. The platform's host starts it, hands it a
// database, a key and a client of the host's services, and calls the parts it
// offers:
//
//	func main() {
//		serve.Main(sdk.Addon{ID: "hello", Version: "1.0.0", Start: start})
//	}
//
// Package sdk is a leaf: it imports the standard library and apperr only.
// Nothing here names the wire; sdk/wire carries these types over gRPC.
package sdk

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
)

// Addon is one add-on program, handed to serve.Main or to sdktest.
type Addon struct {
	// ID and Version must equal those of manifest.yaml; the host refuses a
	// program that says anything else.
	ID      string
	Version string

	// Start opens what the add-on needs and returns the parts it offers. It
	// runs once per process, before any other call, and must return within
	// 60 seconds; ctx ends then. An error is shown to the operator.
	Start func(ctx context.Context, env Env) (Parts, error)
}

// Env is what the host gives a starting add-on. Nothing of it comes through
// the process environment, and none of it may be logged.
type Env struct {
	// Database is the add-on's own database; zero without the permission
	// "database".
	Database Database
	// Key is 32 secret bytes, the same for this add-on at every start, derived
	// by the host from its own secret. Derive keys for single purposes from it.
	Key []byte
	// Host calls the platform. Every method takes its rights from the context.
	Host Host
	// Log writes structured records that the host adds to its own.
	Log *slog.Logger
	// Dev is true on a developer's machine (plain HTTP, loopback).
	Dev bool
}

// Format prints nothing that a log may not hold, whatever the verb.
func (Env) Format(f fmt.State, _ rune) { hide(f, "sdk.Env(secret)") }

// LogValue is what a log gets: nothing that is secret.
func (Env) LogValue() slog.Value { return slog.StringValue("sdk.Env(secret)") }

// Database says how to open the add-on's own database.
type Database struct {
	// Driver is "sqlite" or "postgres".
	Driver string
	// DSN may lead through a connection pooler in transaction mode.
	DSN string
	// DirectDSN reaches the server itself, for LISTEN and migrations; it equals
	// DSN where there is no pooler.
	DirectDSN string
}

// Format prints the driver, never an address, which may hold a password.
func (d Database) Format(f fmt.State, _ rune) { hide(f, d.hidden()) }

// LogValue is what a log gets: the driver.
func (d Database) LogValue() slog.Value { return slog.StringValue(d.hidden()) }

func (d Database) hidden() string { return "sdk.Database(" + d.Driver + ", secret)" }

// hide writes what stands for a secret; whom it fails for gets nothing.
func hide(w io.Writer, text string) { _, _ = io.WriteString(w, text) }

// Parts is what a started add-on offers. A nil field is a capability the
// add-on does not have; the host refuses one that differs from the manifest.
type Parts struct {
	// Public answers the pages that anybody may open, below Call.BasePath.
	// Signing people in is the add-on's own work.
	Public http.Handler
	// Staff answers pages for the biller's staff. An HTML answer is a fragment:
	// the host takes its <title>, filters the rest through an allow-list and
	// draws it inside the platform's own frame. A page may answer 401 to have the
	// person prove anew who they are; see Viewer.Fresh.
	Staff http.Handler
	// Slots answers fragments for the platform's own pages. The path is the one
	// the manifest names for the slot; the query holds the slot's parameters.
	Slots http.Handler

	Invite Inviter
	SignUp SignUp
	Report Reporter
	Events EventHandler

	// Billers is told when a biller enables, disables or purges the add-on.
	Billers BillerHandler
	// Export writes what the add-on keeps for a biller; nil if it keeps nothing
	// that a biller could want.
	Export *Export

	// CheckSettings refuses settings, which have passed the manifest's rules, by
	// an Invalid error of apperr.Field with a key, or with several in
	// apperr.Error.Fields; nil accepts all. It has 5 seconds. ctx carries the call
	// of the staff user who saves; SettingsFrom(ctx) are those in force.
	CheckSettings func(ctx context.Context, s Settings) error

	// Run does background work until ctx ends. It starts after Start returned;
	// an error or an early return ends the process.
	Run func(ctx context.Context) error
	// Close releases what Start opened. It is called last.
	Close func() error
}

// BillerHandler follows which billers use the add-on. Calls for one biller
// never overlap; each may be repeated, so each must be idempotent.
type BillerHandler interface {
	// Enable is called after every start for each biller that has the add-on,
	// and when a biller installs it. ctx carries that biller's installation
	// credential: host services may be called with it.
	Enable(ctx context.Context) error
	// Disable suspends the biller: its data stays, its pages close.
	Disable(ctx context.Context) error
	// Purge deletes everything the add-on keeps for the biller, for good.
	Purge(ctx context.Context) error
}
