package hosttest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/observe"
)

// collector is an OpenTelemetry collector that takes OTLP over HTTP.
type collector struct {
	tb testing.TB

	mu    sync.Mutex
	spans []spanOf
}

// spanOf is a span and the service.name of its resource.
type spanOf struct {
	service string
	*tracepb.Span
}

func (s spanOf) attr(key string) string {
	for _, kv := range s.GetAttributes() {
		if kv.GetKey() == key {
			return kv.GetValue().GetStringValue()
		}
	}
	return ""
}

// ServeHTTP implements http.Handler.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.tb.Error(err)
	}
	var sent collectorpb.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &sent); err != nil || r.URL.Path != "/v1/traces" {
		c.tb.Errorf("%s: %v", r.URL.Path, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range sent.GetResourceSpans() {
		service := ""
		for _, kv := range rs.GetResource().GetAttributes() {
			if kv.GetKey() == "service.name" {
				service = kv.GetValue().GetStringValue()
			}
		}
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				c.spans = append(c.spans, spanOf{service, s})
			}
		}
	}
}

// with returns the spans that have the request's id, and all others of its trace.
func (c *collector) with(requestID string) []spanOf {
	c.mu.Lock()
	defer c.mu.Unlock()
	trace := ""
	for _, s := range c.spans {
		if s.attr("request.id") == requestID {
			trace = string(s.GetTraceId())
		}
	}
	var list []spanOf
	for _, s := range c.spans {
		if trace != "" && string(s.GetTraceId()) == trace {
			list = append(list, s)
		}
	}
	return list
}

// find returns the span of a service whose name begins with the prefix.
func find(list []spanOf, service, prefix string) (spanOf, bool) {
	for _, s := range list {
		if s.service == service && strings.HasPrefix(s.GetName(), prefix) {
			return s, true
		}
	}
	return spanOf{}, false
}

// mustTrace returns a collector, and what makes a host send its spans there.
func mustTrace(tb testing.TB) (*collector, func(*host.Config, *hosttest.Platform)) {
	tb.Helper()
	c := &collector{tb: tb}
	server := httptest.NewServer(c)
	tb.Cleanup(server.Close)
	exporter, err := otlptracehttp.New(tb.Context(), otlptracehttp.WithEndpointURL(server.URL+"/v1/traces"))
	if err != nil {
		tb.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "platform"))), sdktrace.WithSyncer(exporter))
	tb.Cleanup(func() {
		if err := provider.Shutdown(context.WithoutCancel(tb.Context())); err != nil {
			tb.Error(err)
		}
	})
	return c, func(hc *host.Config, _ *hosttest.Platform) {
		hc.Tracing = &observe.Tracing{Provider: provider, Addons: sdktrace.NewSimpleSpanProcessor(exporter), Ratio: 1}
	}
}

// One request of a browser is one trace: the platform, the add-on's process, its
// statements, and what it asks of the platform.
func TestOneTraceFromBrowserToSQL(t *testing.T) {
	t.Parallel()
	c, traced := mustTrace(t)
	dir := mustPack(t, "sdk/example/notices")
	h := hosttest.MustHost(t, func(hc *host.Config, _ *hosttest.Platform) { hc.Packages = dir }, traced)
	h.MustInstall("notice-board")

	got := h.Get("/notices/northwind/", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	id := got.Header.Get("X-Request-Id")
	var list []spanOf
	h.Until("all spans have come", func() bool {
		list = c.with(id)
		_, page := find(list, "notice-board", "addon.v1.Pages/Serve")
		_, sql := find(list, "notice-board", "SELECT")
		return page && sql
	})
	parent := wantChain(t, list, [][2]string{
		{"platform", "GET"}, {"platform", "addon page"}, {"notice-board", "addon.v1.Pages/Serve"},
	})
	if string(parent.GetTraceId()) == "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c" {
		t.Error("a browser chose the trace")
	}
	page, _ := find(list, "notice-board", "addon.v1.Pages/Serve")
	sql, _ := find(list, "notice-board", "SELECT")
	text := sql.attr("db.query.text")
	if string(sql.GetParentSpanId()) != string(page.GetSpanId()) || !strings.Contains(text, "biller_id = $1") || strings.Contains(text, "northwind") {
		t.Errorf("statement %q", text)
	}
	for _, s := range list {
		if s.service == "notice-board" && s.attr("addon.id") != "notice-board" {
			t.Errorf("%s is not stamped", s.GetName())
		}
	}
}

// wantChain fails unless each span, named by service and name, is a child of the
// one before it. It returns the last.
func wantChain(t *testing.T, list []spanOf, chain [][2]string) spanOf {
	t.Helper()
	parent := spanOf{}
	for _, want := range chain {
		s, ok := find(list, want[0], want[1])
		if !ok {
			t.Fatalf("no span %s of %s among %v", want[1], want[0], list)
		}
		if string(s.GetParentSpanId()) != string(parent.GetSpanId()) {
			t.Errorf("%s of %s is no child of %s", want[1], want[0], parent.GetName())
		}
		parent = s
	}
	return parent
}

// What an add-on asks of the platform, refused or not, is in the trace on both sides.
func TestHostCallsAreInTheTrace(t *testing.T) {
	t.Parallel()
	c, traced := mustTrace(t)
	h := hosttest.MustHost(t, traced)
	h.MustInstall("hello")
	id := h.Get("/hello/northwind/customers").Header.Get("X-Request-Id")
	var list []spanOf
	h.Until("all spans have come", func() bool {
		list = c.with(id)
		_, page := find(list, "hello", "addon.v1.Pages/Serve")
		_, call := find(list, "hello", "addon.v1.Customers/Get")
		return page && call
	})
	wantChain(t, list, [][2]string{
		{"platform", "GET"}, {"platform", "addon page"}, {"hello", "addon.v1.Pages/Serve"},
		{"hello", "addon.v1.Customers/Get"}, {"platform", "addon.v1.Customers/Get"},
	})
}

// Only a trusted proxy says which trace a request belongs to.
func TestTraceOfTrustedProxy(t *testing.T) {
	t.Parallel()
	c, traced := mustTrace(t)
	h := hosttest.MustHost(t, traced, func(hc *host.Config, _ *hosttest.Platform) {
		hc.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	h.MustInstall("hello")
	got := h.Get("/hello/northwind/", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "X-Request-Id", "proxy-0001")
	if id := got.Header.Get("X-Request-Id"); id != "proxy-0001" {
		t.Errorf("request id %q", id)
	}
	h.Until("the span has come", func() bool { return len(c.with("proxy-0001")) > 0 })
	root, _ := find(c.with("proxy-0001"), "platform", "GET")
	if string(root.GetTraceId()) != "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c" || string(root.GetParentSpanId()) != "\xb7\xad\x6b\x71\x69\x20\x33\x31" {
		t.Errorf("the span is in trace %x below %x", root.GetTraceId(), root.GetParentSpanId())
	}
	notSampled := h.Get("/hello/northwind/", "Traceparent", "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "X-Request-Id", "proxy-0002")
	if notSampled.Status != http.StatusOK || len(c.with("proxy-0002")) > 0 {
		t.Errorf("%d %v", notSampled.Status, c.with("proxy-0002"))
	}
}
