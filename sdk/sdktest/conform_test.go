package sdktest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pb"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
)

// broken is an add-on that offers a bit of everything, and what spoils it.
type broken struct {
	start  func(sdk.Env) error
	public http.HandlerFunc
	hook   func(what string) error
	event  func() error
	run    func(context.Context) error
	close  func() error
	parts  func(*sdk.Parts)
	addon  func(*sdk.Addon)
	server []grpc.ServerOption
}

func (b broken) Enable(context.Context) error                { return b.call("enable") }
func (b broken) Disable(context.Context) error               { return b.call("disable") }
func (b broken) Purge(context.Context) error                 { return b.call("purge") }
func (b broken) Handle(_ context.Context, _ sdk.Event) error { return b.event() }

func (b broken) call(what string) error {
	if b.hook == nil {
		return nil
	}
	return b.hook(what)
}

func (b broken) build() sdk.Addon {
	a := sdk.Addon{ID: "broken", Version: "1.0.0", Start: func(_ context.Context, env sdk.Env) (sdk.Parts, error) {
		if b.start != nil {
			if err := b.start(env); err != nil {
				return sdk.Parts{}, err
			}
		}
		if b.event == nil {
			b.event = func() error { return nil }
		}
		p := sdk.Parts{Public: b.page(env), Events: b, Billers: b, Run: b.run, Close: b.close}
		if b.parts != nil {
			b.parts(&p)
		}
		return p, nil
	}}
	if b.addon != nil {
		b.addon(&a)
	}
	return a
}

func (b broken) page(env sdk.Env) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		if b.public != nil {
			b.public(w, r)
			return
		}
		// What the body is does not matter here.
		_, _ = io.Copy(io.Discard, r.Body)
		if _, err := env.Host.Billers.Biller(r.Context()); err != nil {
			http.Error(w, apperr.MessageOf(err), http.StatusServiceUnavailable)
		}
	})
	return mux
}

func brokenManifest(tb testing.TB) *manifest.Manifest {
	tb.Helper()
	return sdktest.Manifest(tb, filepath.Join("testdata", "broken.yaml"))
}

// intercept lets f answer in place of the add-on's server.
func intercept(f func(method string) (answer any, instead bool)) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if res, instead := f(info.FullMethod); instead {
				return res, nil
			}
			return next(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if res, instead := f(info.FullMethod); instead {
				return s.SendMsg(res)
			}
			return next(srv, s)
		}),
	}
}

// failsAgain is a hook that fails the second time.
func failsAgain(what string) func(string) error {
	var n atomic.Int32
	return func(called string) error {
		if called == what && n.Add(1) > 1 {
			return errors.New("that is there already")
		}
		return nil
	}
}

// stuck blocks longer than the checks have patience, whatever happens.
func stuck() { <-time.After(12 * time.Second) }

func TestKitFindsWhatIsBroken(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, check, want string
		// make is called for each start.
		make func() broken
	}{
		{"another version", "describes itself as its manifest does", "2.0.0", func() broken {
			return broken{addon: func(a *sdk.Addon) { a.Version = "2.0.0" }}
		}},
		{"open before start", "refuses calls before its start", "Enable before Start is not refused", func() broken {
			return broken{server: intercept(func(m string) (any, bool) {
				return &pb.EnableResponse{}, m == pb.Lifecycle_Enable_FullMethodName
			})}
		}},
		{"starts again", "starts once", "second Start", func() broken {
			var starts atomic.Int32
			return broken{server: intercept(func(m string) (any, bool) {
				return &pb.StartResponse{}, m == pb.Lifecycle_Start_FullMethodName && starts.Add(1) > 1
			})}
		}},
		{"offers less", "offers what its manifest says", "offers pages, its manifest says events, pages", func() broken {
			return broken{parts: func(p *sdk.Parts) { p.Events = nil }}
		}},
		{"reports anyway", "refuses what it does not offer", "the capability report is not refused", func() broken {
			return broken{parts: func(p *sdk.Parts) { p.Report = reports{} }}
		}},
		{"ill", "is healthy", "health", func() broken {
			return broken{server: intercept(func(m string) (any, bool) {
				return &pb.StopResponse{}, m == "/grpc.health.v1.Health/Check"
			})}
		}},
		{"enabled once", "takes a biller again", "Enable: enable ", func() broken {
			return broken{hook: failsAgain("enable")}
		}},
		{"disabled once", "gives a biller up and takes it back", "Disable again", func() broken {
			return broken{hook: failsAgain("disable")}
		}},
		{"purged once", "gives a biller up and takes it back", "Purge again", func() broken {
			return broken{hook: failsAgain("purge")}
		}},
		{"export that hangs", "exports what it keeps", "Export while the add-on is installed takes longer", func() broken {
			return exporting("data.json", func(context.Context) error { stuck(); return nil })
		}},
		{"export with a path", "exports what it keeps", `called "../data.json"`, func() broken {
			return exporting("../data.json", func(context.Context) error { return nil })
		}},
		{"export of the installed only", "exports what it keeps", "Export after Disable", func() broken {
			var gone atomic.Bool
			b := exporting("data.json", func(context.Context) error {
				if gone.Load() {
					return errors.New("no such biller")
				}
				return nil
			})
			b.hook = func(what string) error { gone.CompareAndSwap(false, what == "disable"); return nil }
			return b
		}},
		{"event once", "keeps an event that comes twice", "same event again", func() broken {
			again := failsAgain("event")
			return broken{event: func() error { return again("event") }}
		}},
		{"slow page", "answers its pages in time", "longer than 5s", func() broken {
			return broken{public: func(http.ResponseWriter, *http.Request) { stuck() }}
		}},
		{"failing page", "answers its pages in time", "status 500", func() broken {
			return broken{public: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }}
		}},
		{"every page", "knows no other page", "status 200, want 404", func() broken {
			return broken{parts: func(p *sdk.Parts) { p.Public = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}) }}
		}},
		{"hangs on others", "knows no other page", "longer than 5s", func() broken {
			return broken{parts: func(p *sdk.Parts) {
				p.Public = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stuck() })
			}}
		}},
		{"no HEAD", "answers HEAD", "status 405", func() broken {
			return broken{public: func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					w.WriteHeader(http.StatusMethodNotAllowed)
				}
			}}
		}},
		{"chokes", "survives a large body", "longer than 5s", func() broken {
			return broken{public: func(_ http.ResponseWriter, r *http.Request) {
				if n, _ := io.CopyN(io.Discard, r.Body, 2<<20); n == 2<<20 {
					stuck()
				}
			}}
		}},
		{"clings", "lets a browser go", "Drain after a browser has gone", func() broken {
			return broken{public: func(_ http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					stuck()
				}
			}}
		}},
		{"drops one in ten", "answers 32 requests at once", "status 503", func() broken {
			var n atomic.Int32
			return broken{public: func(w http.ResponseWriter, _ *http.Request) {
				if n.Add(1)%10 == 0 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}}
		}},
		{"sulks", "survives an expired token", "status 503", sulks},
		{"works on", "drains", "Drain", func() broken {
			return broken{run: func(context.Context) error { stuck(); return nil }}
		}},
		{"open after drain", "drains", "Enable after Drain is not refused", func() broken {
			var drained atomic.Bool
			return broken{server: intercept(func(m string) (any, bool) {
				drained.CompareAndSwap(false, m == pb.Lifecycle_Drain_FullMethodName)
				return &pb.EnableResponse{}, drained.Load() && m == pb.Lifecycle_Enable_FullMethodName
			})}
		}},
		{"fails to close", "ends when it is asked to", "Internal", func() broken {
			return broken{close: func() error { return errors.New("the file is busy") }}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			start := func(opts ...sdktest.Option) (*sdktest.Instance, error) {
				b := tt.make()
				return sdktest.InProcess(b.build(), sdktest.WithServer(b.server...))(opts...)
			}
			wants(t, sdktest.Check(t, tt.check, brokenManifest(t), start), tt.want)
		})
	}
}

func wants(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the check says: %v\nwant: %s", err, want)
	}
}

// exporting is an add-on with an export.
func exporting(name string, write func(context.Context) error) broken {
	return broken{parts: func(p *sdk.Parts) {
		p.Export = &sdk.Export{FileName: name, MediaType: "application/json", Write: func(ctx context.Context, w io.Writer) error {
			if err := write(ctx); err != nil {
				return err
			}
			_, err := io.WriteString(w, "{}")
			return err
		}}
	}}
}

// TestConformanceIsDescribed: the page for authors in other languages says how many
// checks there are, and what the one about the export wants.
func TestConformanceIsDescribed(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "other-languages.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{fmt.Sprintf("the conformance kit: %d checks", len(sdktest.CheckNames())), "`Export`"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("docs/other-languages.md does not say %q", want)
		}
	}
}

// sulks once the platform has refused it.
func sulks() broken {
	var (
		env     sdk.Env
		refused atomic.Bool
	)
	return broken{
		start: func(e sdk.Env) error { env = e; return nil },
		public: func(w http.ResponseWriter, r *http.Request) {
			if _, err := env.Host.Billers.Biller(r.Context()); err != nil {
				refused.Store(true)
			}
			if refused.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		},
	}
}

type reports struct{}

func (reports) Registrations(context.Context, sdk.RegistrationQuery, func(sdk.Registration) error) error {
	return nil
}

// The add-on that is spoilt above conforms when nothing spoils it.
func TestConforms(t *testing.T) {
	t.Parallel()
	m := brokenManifest(t)
	t.Run("in process", func(t *testing.T) { sdktest.Conform(t, m, sdktest.InProcess(broken{}.build())) })
	t.Run("as a process", func(t *testing.T) { sdktest.Conform(t, m, sdktest.Program(mustWrap(t, "good"))) })
}

func TestProcess(t *testing.T) {
	t.Parallel()
	i := sdktest.Process(t, mustWrap(t, "good"))
	i.Enable(sdktest.Northwind)
	if want := []string{sdk.CapabilityPages, sdk.CapabilityEvents}; !slices.Equal(i.Capabilities, want) {
		t.Errorf("capabilities %v, want %v", i.Capabilities, want)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := i.Client.Health(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := i.Stop(); err != nil {
		t.Error(err)
	}
	if err := i.Client.Health(t.Context()); err == nil {
		t.Error("a stopped process is healthy")
	}
}

// A program that is no add-on, or is not there, leaves nothing behind.
func TestLaunchOfAProgramThatIsNoAddon(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, program := range []string{"/bin/true", "/bin/cat", filepath.Join(temp, "missing")} {
		if i, err := sdktest.Launch(t.Context(), program, io.Discard); err == nil {
			t.Errorf("%s: started: %v", program, i.Stop())
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
