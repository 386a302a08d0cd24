package sdktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

// Starter starts an add-on afresh; options before its own come from the caller.
type Starter func(opts ...Option) (*Instance, error)

// InProcess returns a Starter of the add-on in the test's own process.
func InProcess(addon sdk.Addon, opts ...Option) Starter {
	return func(first ...Option) (*Instance, error) {
		var ended error
		i, err := serve(addon, newOptions(slices.Concat(first, opts)), func(err error) { ended = err })
		if err != nil {
			return nil, err
		}
		stop := i.stop
		i.stop = sync.OnceValue(func() error { return errors.Join(stop(), ended) })
		return i, nil
	}
}

// Program returns a Starter of the add-on's program as a process of its own.
func Program(path string, opts ...Option) Starter {
	return func(first ...Option) (*Instance, error) {
		o := newOptions(slices.Concat(first, opts))
		return Launch(context.Background(), path, o.output, slices.Concat(first, opts)...)
	}
}

// Manifest reads an add-on's manifest; the test fails if it is not valid.
func Manifest(tb testing.TB, file string) *manifest.Manifest {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	m, err := manifest.Parse(file, data)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// Conform checks, in one subtest each, what every add-on owes its platform
// whatever it does: that it is what its manifest says, that its pages answer in
// time and survive rude browsers, and that it drains and ends. Each check
// starts the add-on anew against a host that grants exactly the permissions of
// the manifest and has two billers, Northwind and "contoso", each with the
// customer "customer-1". With the permission "database" the add-on gets an
// SQLite file, unless start has a database of its own for every start. Checks
// of processes are skipped for an add-on in process.
func Conform(t *testing.T, m *manifest.Manifest, start Starter) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			out := newOutput(t.Output())
			defer out.close()
			s := newSubject(m, start, out, t.TempDir())
			err := c.run(t.Context(), s)
			s.cleanUp()
			switch {
			case errors.Is(err, errNotApplicable):
				t.Skip(err)
			case err != nil:
				t.Error(err)
			}
		})
	}
}

// errNotApplicable says that a check is not about this add-on.
var errNotApplicable = errors.New("not applicable")

type check struct {
	name string
	run  func(context.Context, *subject) error
}

func checks() []check {
	return []check{
		{"describes itself as its manifest does", describes},
		{"refuses calls before its start", refusesEarlyCalls},
		{"starts once", startsOnce},
		{"offers what its manifest says", offers},
		{"refuses what it does not offer", refusesOthers},
		{"is healthy", isHealthy},
		{"takes a biller again", takesAgain},
		{"gives a biller up and takes it back", givesUp},
		{"exports what it keeps", exports},
		{"keeps an event that comes twice", keepsEvents},
		{"accepts its own default settings", acceptsDefaults},
		{"answers its pages in time", answersPages},
		{"knows no other page", knowsNoOther},
		{"answers HEAD", answersHead},
		{"tells staff what they can open", tellsStaff},
		{"survives a large body", survivesLargeBody},
		{"lets a browser go", letsBrowserGo},
		{"answers 32 requests at once", answersMany},
		{"survives an expired token", survivesExpiredToken},
		{"drains", drains},
		{"ends when it is asked to", endsWhenAsked},
		{"ends with its host", endsWithHost},
		{"prints nothing but the handshake", printsNothing},
		{"explains itself to a person", explainsItself},
	}
}

const (
	// contoso is the second biller of the kit's host.
	contoso = "contoso"
	// customer is the id of the customer that each biller has.
	customer = "customer-1"
	// pageTime is how long a page may take: generous, because machines that test
	// are busy.
	pageTime = 5 * time.Second
)

// subject is the add-on under one check.
type subject struct {
	manifest *manifest.Manifest
	host     *Host
	start    Starter
	output   io.Writer
	dir      string
	// patience is how long anything but a page may take.
	patience time.Duration
	started  []*Instance
}

func newSubject(m *manifest.Manifest, start Starter, output io.Writer, dir string) *subject {
	s := &subject{manifest: m, host: NewHost(), start: start, output: output, dir: dir, patience: stopTime}
	s.host.Permissions = []string{}
	for _, p := range m.Permissions {
		s.host.Permissions = append(s.host.Permissions, p.Name)
	}
	other := firstBiller()
	other.ID, other.Slug, other.Name = contoso, contoso, "Contoso Water"
	s.host.AddBiller(other)
	s.host.AddCustomer(Northwind, jane())
	s.host.AddCustomer(contoso, jane())
	s.host.SetSettings(Northwind, Defaults(m))
	s.host.SetSettings(contoso, Defaults(m))
	return s
}

func jane() sdk.Customer {
	return sdk.Customer{
		ID: customer, Number: "1001", Name: "Jane Rivera", DisplayName: "Jane Rivera",
		Email: "jane@acme.example", Version: 1,
	}
}

// run starts the add-on.
func (s *subject) run(opts ...Option) (*Instance, error) {
	all := []Option{WithHost(s.host), withOutput(s.output)}
	if s.manifest.HasPermission("database") {
		file := fmt.Sprintf("%s%caddon-%d.db", s.dir, os.PathSeparator, len(s.started))
		all = append(all, WithDatabase(sdk.Database{Driver: "sqlite", DSN: file, DirectDSN: file}))
	}
	i, err := s.start(append(all, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	s.started = append(s.started, i)
	return i, nil
}

// serving starts the add-on and enables both billers.
func (s *subject) serving(ctx context.Context) (*Instance, error) {
	i, err := s.run()
	if err != nil {
		return nil, err
	}
	return i, s.enable(ctx, i)
}

func (s *subject) enable(ctx context.Context, i *Instance) error {
	return s.inTime(ctx, "Enable", func(ctx context.Context) error { return i.EnableAll(ctx, Northwind, contoso) })
}

// inTime fails when f does not return within the patience.
func (s *subject) inTime(ctx context.Context, what string, f func(context.Context) error) error {
	return within(ctx, s.patience, what, f)
}

func within(ctx context.Context, limit time.Duration, what string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := f(ctx)
	switch {
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s takes longer than %s", what, limit)
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// cleanUp ends what the check started. How it ends is what "ends when it is
// asked to" is about.
func (s *subject) cleanUp() {
	for _, i := range s.started {
		_ = i.Stop()
	}
}

// refused fails unless err has the code.
func refused(what string, err error, code apperr.Code) error {
	switch {
	case err == nil:
		return fmt.Errorf("%s is not refused; want %s", what, code)
	case !apperr.Is(err, code):
		return fmt.Errorf("%s is refused as %s (%w); want %s", what, apperr.CodeOf(err), err, code)
	}
	return nil
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}
