// Package walls keeps the import walls of the repository: who may import whom,
// and which library stays behind which package.
package walls_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/billing-addons/customer-portal/"

// pkg is what go list tells about a package; paths inside the module are cut
// to their part below it.
type pkg struct {
	ImportPath   string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func mustList(tb testing.TB) []pkg {
	tb.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			tb.Fatalf("go list: %v", err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		for _, list := range [][]string{p.Imports, p.TestImports, p.XTestImports} {
			for i := range list {
				list[i] = strings.TrimPrefix(list[i], module)
			}
		}
		pkgs = append(pkgs, p)
	}
}

// within tells whether p is root or lies below it.
func within(p, root string) bool { return p == root || strings.HasPrefix(p, root+"/") }

func withinAny(p string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return within(p, r) })
}

// own tells whether an import path is a package of this module.
func own(p string) bool { return withinAny(p, "sdk", "host", "plugin") }

// siblings of the host import each other never; the facade wires them.
var siblings = []string{"host/marketplace", "host/supervisor", "host/pages", "host/services", "host/store", "host/admin", "host/mail", "host/observe"}

// layers of the plugin meet in portal and in leaves (catalogue); main
// wires them.
var layers = []string{"plugin/web", "plugin/store", "plugin/mail", "plugin/rpc"}

// breach says why from must not import to, or nothing.
func breach(from, to string) string {
	switch {
	case within(from, "plugin") && within(to, "host"), within(from, "host") && within(to, "plugin"):
		return "host and plugin meet only over RPC"
	case within(from, "sdk") && withinAny(to, "host", "plugin"):
		return "the sdk knows neither host nor plugin"
	case to == "sdk/pb" && !within(from, "sdk/wire"):
		return "generated types stay behind sdk/wire"
	case withinAny(to, "github.com/hashicorp/go-plugin", "github.com/hashicorp/go-hclog") &&
		!withinAny(from, "sdk/wire", "sdk/serve", "sdk/sdktest", "host/supervisor", "host/hosttest"):
		return "go-plugin and hclog stay in the process glue"
	case within(to, "github.com/jmoiron/sqlx") && !withinAny(from, "sdk/sqldb", "sdk/jobs") && path.Base(from) != "store":
		return "sqlx stays in sqldb, jobs and stores"
	case withinAny(to, "github.com/lib/pq", "modernc.org/sqlite") && !within(from, "sdk/sqldb"):
		return "drivers stay in sqldb"
	case withinAny(to, "github.com/theupdateframework/go-tuf/v2", "github.com/sigstore/sigstore") && from != "host/marketplace":
		return "TUF stays in the marketplace"
	case within(to, "github.com/prometheus") && !withinAny(from, "host/observe", "host/cmd/billhost") && from != "host":
		return "metrics stay in host/observe, its facade and the reference platform"
	case within(to, "go.opentelemetry.io/otel/exporters") && !within(from, "host/cmd/billhost"):
		return "where spans go is the platform's to say"
	case within(to, "go.opentelemetry.io/otel/sdk") && !withinAny(from, "sdk/wire", "host/observe", "host/cmd/billhost"):
		return "tracing follows from the context (sdk/telemetry)"
	case within(to, "host/cmd/billhost") && !within(from, "host/cmd/billhost"):
		return "the reference platform is imported by nobody"
	case from == "host/addon" && own(to) && !within(to, "sdk"):
		return "host/addon is a leaf"
	}
	return siblingBreach(from, to)
}

func siblingBreach(from, to string) string {
	for _, group := range [][]string{siblings, layers} {
		for _, a := range group {
			for _, b := range group {
				if a != b && within(from, a) && within(to, b) {
					return "siblings do not import each other"
				}
			}
			if within(from, a) && (to == "host" || to == "plugin") {
				return "a sibling does not import its facade"
			}
		}
	}
	return ""
}

func TestWalls(t *testing.T) {
	pkgs := mustList(t)
	if len(pkgs) < 10 {
		t.Fatalf("go list found %d packages of the module, want all of them", len(pkgs))
	}
	for _, p := range pkgs {
		for _, to := range p.Imports {
			if why := breach(p.ImportPath, to); why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, to, why)
			}
		}
		for _, to := range slices.Concat(p.TestImports, p.XTestImports) {
			crossing := within(p.ImportPath, "plugin") && within(to, "host") || withinAny(p.ImportPath, "sdk", "host") && within(to, "plugin")
			if crossing {
				t.Errorf("tests of %s import %s: host and plugin meet only over RPC", p.ImportPath, to)
			}
		}
		if base := path.Base(p.ImportPath); slices.Contains([]string{"util", "utils", "common", "helpers"}, base) {
			t.Errorf("%s: a package is named after what it does, not %q", p.ImportPath, base)
		}
	}
}

func TestDomainIsALeaf(t *testing.T) {
	for _, p := range mustList(t) {
		if p.ImportPath != "plugin/portal" {
			continue
		}
		for _, to := range p.Imports {
			if strings.Contains(to, ".") || own(to) && to != "sdk/apperr" {
				t.Errorf("plugin/portal imports %s: the domain imports the standard library and apperr only", to)
			}
		}
		return
	}
	t.Fatal("plugin/portal not found")
}

func TestBreach(t *testing.T) {
	tests := []struct {
		from, to string
		allowed  bool
	}{
		{"plugin", "sdk/serve", true},
		{"plugin/web", "host/pages", false},
		{"host/cmd/billhost", "plugin/portal", false},
		{"sdk/serve", "host", false},
		{"sdk/wire", "sdk/pb", true},
		{"host/pages", "sdk/pb", false},
		{"host/pages", "github.com/hashicorp/go-plugin", false},
		{"host/supervisor", "github.com/hashicorp/go-plugin/runner", true},
		{"plugin/store", "github.com/jmoiron/sqlx", true},
		{"plugin/web", "github.com/jmoiron/sqlx", false},
		{"host/store", "github.com/lib/pq", false},
		{"host/pages", "host/store", false},
		{"host/pages", "host/addon", true},
		{"host", "host/pages", true},
		{"plugin/web", "plugin/store", false},
		{"plugin/web", "plugin/portal", true},
		{"host/mail/sink", "host/mail", true},
		{"host", "github.com/prometheus/client_golang/prometheus", true},
		{"host/pages", "github.com/prometheus/client_golang/prometheus", false},
		{"sdk/wire", "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp", false},
		{"sdk/jobs", "go.opentelemetry.io/otel/trace", true},
		{"sdk/jobs", "go.opentelemetry.io/otel/sdk/trace", false},
	}
	for _, tt := range tests {
		if got := breach(tt.from, tt.to) == ""; got != tt.allowed {
			t.Errorf("breach(%q, %q): allowed = %v, want %v", tt.from, tt.to, got, tt.allowed)
		}
	}
}
