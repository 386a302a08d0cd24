package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Nobody is asked who reads the metrics, so only this machine may, unless the
// operator says otherwise.
func TestMetricsAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		addr   string
		remote bool
		want   string
	}{
		{"", false, ""},
		{"127.0.0.1:9464", false, ""},
		{"localhost:9464", false, ""},
		{"[::1]:9464", false, ""},
		{"0.0.0.0:9464", false, "METRICS_REMOTE"},
		{":9464", false, "METRICS_REMOTE"},
		{"[::]:9464", false, "METRICS_REMOTE"},
		{"192.0.2.1:9464", false, "METRICS_REMOTE"},
		{"metrics.example.com:9464", false, "METRICS_REMOTE"},
		{"0.0.0.0:9464", true, ""},
		{"9464", true, "must look like"},
	} {
		c := Config{ListenAddr: "127.0.0.1:0", LogLevel: "info", DataDir: t.TempDir(), watchConfig: watchConfig{MetricsAddr: tt.addr, MetricsRemote: tt.remote}}
		_, err := c.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q, remote %v: %v", tt.addr, tt.remote, err)
		}
	}
}

func TestMetricsAreServed(t *testing.T) {
	t.Parallel()
	r := mustServe(t, "--data-dir", t.TempDir(), "--metrics-addr", "127.0.0.1:0")
	_, after, ok := strings.Cut(r.log.String(), `msg="metrics are served" address=`)
	addr, _, _ := strings.Cut(after, "\n")
	if !ok {
		t.Fatalf("nothing is served:\n%s", r.log.String())
	}
	if res, err := http.Get(r.base + "/metrics"); err != nil || res.StatusCode == http.StatusOK {
		t.Errorf("the pages' listener serves metrics: %v", err)
	} else {
		res.Body.Close()
	}
	res, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	for _, name := range []string{
		"go_goroutines ", "process_open_fds ", `go_sql_open_connections{db_name="billhost"}`, `go_sql_open_connections{db_name="host"}`,
		"billhost_jobs_due ", "billhost_jobs_oldest_due_seconds ",
	} {
		if !strings.Contains(string(body), "\n"+name) {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestTracesOverOTLP(t *testing.T) {
	seen := make(chan string, 1000)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var sent collectorpb.ExportTraceServiceRequest
		body, err := io.ReadAll(r.Body)
		if err != nil || proto.Unmarshal(body, &sent) != nil {
			t.Error("no OTLP", err)
		}
		for _, rs := range sent.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					seen <- rs.GetResource().String() + s.GetName()
				}
			}
		}
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	r := mustServe(t, "--data-dir", t.TempDir())
	res, err := http.Get(r.base + "/sign-in")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	late := time.After(time.Minute)
	for {
		select {
		case span := <-seen:
			if strings.Contains(span, "billhost") && strings.HasSuffix(span, "GET") {
				return
			}
		case <-late:
			t.Fatal("no span of the request came")
		}
	}
}

func TestTracesOverGRPCAreRefused(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	if r := run(t, "serve", "--dev", "--data-dir", t.TempDir()); r.err == nil || !strings.Contains(r.err.Error(), "http/protobuf") {
		t.Errorf("%v", r.err)
	}
}
