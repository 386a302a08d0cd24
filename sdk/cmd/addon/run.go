package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
)

// runCmd starts an add-on against a fake platform and shows its pages.
type runCmd struct {
	Path     string `arg:"" optional:"" help:"The add-on's program, an .addon package, or with --dev the folder of its package main (default: this one)."`
	Dev      bool   `help:"Build the sources, and again whenever a file is saved; a new version serves when it is healthy."`
	Debug    bool   `help:"Print how to attach a debugger, and wait for the add-on however long it takes."`
	Manifest string `placeholder:"FILE" help:"The program's manifest, default manifest.yaml; with --dev beside the sources. A package brings its own."`
	Static   string `placeholder:"DIR" help:"The program's static files; with --dev the default is static beside the sources. A package brings its own."`
	Listen   string `default:"127.0.0.1:8090" help:"Where browsers find the pages; loopback only."`
	Data     string `placeholder:"DIR" help:"Keep the add-on's database here; default is a new one each time."`
}

// trial is an add-on that is about to run.
type trial struct {
	manifest        *manifest.Manifest
	program, static string
	temp, data      string
}

// Run serves until the command is interrupted.
func (c *runCmd) Run(ctx context.Context, con *console) (err error) {
	if c.Path == "" && !c.Dev {
		return errors.New("name the add-on's program or package, or use --dev in the folder of its sources")
	}
	listener, err := c.listen(ctx)
	if err != nil {
		return err
	}
	// The server closes it too, which makes this close fail.
	defer func() { _ = listener.Close() }()
	temp, err := os.MkdirTemp("", "addon-run-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if c.Data == "" {
		c.Data = temp
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	if c.Dev {
		return c.runDev(ctx, con, listener, temp)
	}
	t, err := c.prepare(temp)
	if err != nil {
		return err
	}
	instance, err := c.launch(ctx, con, t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, instance.Stop()) }()
	board := newBoard(t, instance, "http://"+listener.Addr().String())
	if err := con.printf("%s %s is running. Its pages:\n%sStop it with Ctrl+C.\n",
		t.manifest.Name, t.manifest.Version, board.list()); err != nil {
		return err
	}
	return serveUntil(ctx, listener, board)
}

// launch starts the add-on and enables it. The error holds what it printed last.
func (c *runCmd) launch(ctx context.Context, con *console, t *trial) (*sdktest.Instance, error) {
	output := newLogLines(con.err)
	opts := t.options(sampleHost(t.manifest))
	if c.Debug {
		opts = append(opts, sdktest.Patient(), sdktest.BeforeStart(con.tellDebugger))
		patient, cancel := context.WithTimeout(ctx, 365*24*time.Hour) // else calls have a limit of their own
		defer cancel()
		ctx = patient
	}
	i, err := sdktest.Launch(ctx, t.program, output, opts...)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, output.tail())
	}
	err = t.check(ctx, i)
	if err == nil {
		err = i.Client.Health(ctx)
	}
	if err == nil {
		err = i.EnableAll(ctx, sdktest.Northwind)
	}
	if err != nil {
		return nil, errors.Join(err, i.Stop())
	}
	return i, nil
}

// tellDebugger prints the line that attaches delve to a process.
func (c *console) tellDebugger(pid int) {
	hint := ""
	if scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && os.Getuid() != 0 && strings.TrimSpace(string(scope)) != "0" {
		hint = "  (this system lets only root attach: sudo dlv attach, or set kernel.yama.ptrace_scope to 0)\n"
	}
	// An author who has closed the terminal needs no line.
	_ = c.printf("Process %d; it may stand at a breakpoint as long as you like. To debug it:\n  dlv attach %d\n%s", pid, pid, hint)
}

func (c *runCmd) listen(ctx context.Context) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, err
	}
	at, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil || !at.Addr().IsLoopback() {
		return nil, errors.Join(fmt.Errorf("--listen %s is open to other machines; use 127.0.0.1:8090", c.Listen), l.Close())
	}
	return l, nil
}

// prepare unpacks a package, or takes program and manifest as they lie.
func (c *runCmd) prepare(temp string) (*trial, error) {
	t := &trial{program: c.Path, static: c.Static, temp: temp, data: c.Data}
	if c.Manifest == "" {
		c.Manifest = manifest.FileName
	}
	if !strings.HasSuffix(c.Path, pack.Extension) {
		m, err := loadManifest(c.Manifest)
		if err != nil {
			return nil, err
		}
		t.manifest = m
		return t, nil
	}
	p, err := unpack(c.Path, temp)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	program, err := p.Binary(runtime.GOOS + "/" + runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	t.manifest, t.program, t.static = p.Manifest, p.Path(program.Path), p.Path("static")
	return t, nil
}

func unpack(file, dest string) (*pack.Package, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	p, err := pack.Unpack(f, dest, pack.Limits{})
	return p, errors.Join(err, f.Close())
}

func (t *trial) options(host *sdktest.Host) []sdktest.Option {
	opts := []sdktest.Option{sdktest.WithHost(host)}
	if t.manifest.HasPermission("database") {
		file := filepath.Join(t.data, t.manifest.ID+".db")
		opts = append(opts, sdktest.WithDatabase(sdk.Database{Driver: "sqlite", DSN: file, DirectDSN: file}))
	}
	return opts
}

// check refuses what a platform would refuse.
func (t *trial) check(ctx context.Context, i *sdktest.Instance) error {
	d, err := i.Client.Describe(ctx)
	if err != nil {
		return err
	}
	if d.ID != t.manifest.ID || d.Version != t.manifest.Version {
		return fmt.Errorf("the program says it is %s %s, the manifest says %s %s; make them agree",
			d.ID, d.Version, t.manifest.ID, t.manifest.Version)
	}
	offered := map[string]bool{}
	for _, name := range i.Capabilities {
		offered[name] = true
		if !t.manifest.HasCapability(name) {
			return fmt.Errorf("the program offers %q, which capabilities in the manifest does not list", name)
		}
	}
	for _, name := range t.manifest.Capabilities {
		if !offered[name] {
			return fmt.Errorf("the manifest lists the capability %q, which the program does not offer", name)
		}
	}
	return nil
}

// sampleHost is a platform with one biller, some customers and the permissions
// that the manifest asks for.
func sampleHost(m *manifest.Manifest) *sdktest.Host {
	h := sdktest.NewHost()
	h.Permissions = []string{}
	for _, p := range m.Permissions {
		h.Permissions = append(h.Permissions, p.Name)
	}
	h.SetSettings(sdktest.Northwind, sdktest.Defaults(m))
	usd := func(minor int64) sdk.Money { return sdk.Money{Minor: minor, Currency: "USD"} }
	for n, name := range []string{"Acme Bakery", "Blue Harbor Dental", "Cedar Street Cafe", "Dana Moore"} {
		id := fmt.Sprintf("customer-%d", n+1)
		h.AddCustomer(sdktest.Northwind, sdk.Customer{
			ID:          id,
			Number:      fmt.Sprintf("NW-%d", 1001+n),
			Name:        name,
			DisplayName: name,
			Email:       strings.ToLower(strings.Fields(name)[0]) + "@example.com",
			Address:     sdk.Address{Street: "1 Main Street", City: "Springfield", State: "IL", Zip: "62701", Country: "US"},
			OpenBalance: usd(12_500),
			Version:     1,
		})
		today := time.Now().UTC().Truncate(24 * time.Hour)
		h.AddInvoice(sdktest.Northwind, sdk.Invoice{
			ID:         "invoice-" + id,
			Number:     fmt.Sprintf("INV-%d", 2001+n),
			CustomerID: id,
			Title:      "Monthly service",
			Status:     "open",
			IssuedOn:   today.AddDate(0, 0, -10),
			DueOn:      today.AddDate(0, 0, 20),
			Subtotal:   usd(12_500),
			Tax:        usd(0),
			Total:      usd(12_500),
			Paid:       usd(0),
			Balance:    usd(12_500),
			Lines:      []sdk.InvoiceLine{{Description: "Service", QuantityMilli: 1000, UnitPrice: usd(12_500), Amount: usd(12_500)}},
		})
	}
	return h
}

func serveUntil(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           http.NewCrossOriginProtection().Handler(h),
		ReadHeaderTimeout: 10 * time.Second,
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		err := server.Shutdown(end)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		stopped <- err
	})
	err := server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	if !stop() {
		err = errors.Join(err, <-stopped)
	}
	return err
}

func staticFiles(dir string) http.Handler {
	if dir == "" {
		return http.NotFoundHandler()
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return http.NotFoundHandler()
	}
	return http.FileServerFS(os.DirFS(dir))
}
