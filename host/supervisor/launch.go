package supervisor

import (
	"context"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// ownPlatform is what this machine runs.
const ownPlatform = runtime.GOOS + "/" + runtime.GOARCH

// launch verifies the package, starts its program and then the add-on.
func (w *worker) launch(ctx context.Context, want addon.Active) (_ *process, _ *pack.Package, err error) {
	cfg := w.sup.cfg
	pkg, err := openPackage(cfg.Packages, want)
	if err != nil {
		return nil, nil, err
	}
	env, err := w.prepare(ctx, pkg.Manifest)
	if err != nil {
		return nil, nil, err
	}
	tracing := cfg.Tracing(pkg.Manifest.ID, want.Version)
	p, err := launch{
		pkg:      pkg,
		sockets:  w.sockets.dir,
		groups:   w.sockets.groups,
		start:    cfg.Times.Handshake,
		patience: cfg.Times.Kill,
		log:      w.log.With("version", want.Version),
		now:      cfg.Now,
		limits:   cfg.Limits,
		env:      env,
		tracing:  tracing,
	}.startProcess()
	if apperr.Is(err, apperr.Unavailable) {
		return nil, nil, crash{err}
	}
	if err != nil {
		return nil, nil, err
	}
	w.sup.reach("launched")
	if err := w.begin(ctx, p, pkg.Manifest, env, tracing); err != nil {
		return nil, nil, w.ending(p, err)
	}
	return p, pkg, nil
}

// openPackage returns the package that is wanted, every file of it checked but the
// content of the program that will run, which openProgram does.
func openPackage(folder string, want addon.Active) (*pack.Package, error) {
	pkg, err := pack.Open(filepath.Join(folder, want.Digest))
	if err != nil {
		return nil, err
	}
	if err := pkg.VerifyBut(pack.BinaryPath(ownPlatform)); err != nil {
		return nil, err
	}
	if pkg.Manifest.ID != want.AddonID || pkg.Manifest.Version != want.Version {
		return nil, apperr.Errorf(apperr.Invalid, "The package is %s %s, not %s %s.",
			pkg.Manifest.ID, pkg.Manifest.Version, want.AddonID, want.Version)
	}
	if !pkg.Manifest.AcceptsHost(wire.SDKVersion) {
		return nil, apperr.Errorf(apperr.Invalid, "%s %s needs a host of version %s; this one is %s.",
			pkg.Manifest.Name, pkg.Manifest.Version, pkg.Manifest.Host, wire.SDKVersion)
	}
	return pkg, nil
}

// prepare makes the add-on's database and key.
func (w *worker) prepare(ctx context.Context, m *manifest.Manifest) (Env, error) {
	ctx, cancel := context.WithTimeout(ctx, w.sup.cfg.Times.Start)
	defer cancel()
	return w.sup.cfg.Env(ctx, m)
}

// begin makes sure that the program is what its manifest says, and starts it.
func (w *worker) begin(ctx context.Context, p *process, m *manifest.Manifest, env Env, tracing *wire.Tracing) error {
	cfg := w.sup.cfg
	ctx, cancel := context.WithTimeout(ctx, cfg.Times.Start)
	defer cancel()
	d, err := p.client.Describe(ctx)
	if err != nil {
		return err
	}
	if d.ID != m.ID || d.Version != m.Version {
		return apperr.Errorf(apperr.Invalid, "The program says it is %s %s; its manifest says %s %s.",
			d.ID, d.Version, m.ID, m.Version)
	}
	capabilities, err := p.client.Start(ctx, wire.StartRequest{
		Services: cfg.Services(m.ID),
		Log:      w.log,
		Database: env.Database,
		Key:      env.Key,
		Dev:      cfg.Dev,
		LogLevel: cfg.LogLevel,
		Tracing:  tracing,
		Called: func(method, code string, took time.Duration) {
			cfg.Meter.Called(m.ID, method, code, took)
		},
	})
	if err != nil {
		return err
	}
	return sameCapabilities(m.Capabilities, capabilities)
}

func sameCapabilities(declared, offered []string) error {
	declared, offered = slices.Sorted(slices.Values(declared)), slices.Sorted(slices.Values(offered))
	if slices.Equal(declared, offered) {
		return nil
	}
	return apperr.Errorf(apperr.Invalid, "The program offers %s; its manifest says %s.", words(offered), words(declared))
}

func words(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

// exitText says how the process ended.
func (p *process) exitText() string {
	select {
	case <-p.exited():
	default:
		return "running"
	}
	if p.child.err == nil {
		return "exit status 0"
	}
	return p.child.err.Error()
}
