package hosttest_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/hosttest"
)

// scrape asks as Prometheus does.
func scrape(tb testing.TB, r *prometheus.Registry) map[string]*dto.MetricFamily {
	tb.Helper()
	server := httptest.NewServer(promhttp.HandlerFor(r, promhttp.HandlerOpts{}))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		tb.Fatal(res.Status, err)
	}
	return families
}

// value returns the value of a metric with the labels, pairs of name and value;
// the count of a histogram; -1 if there is none.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	for _, m := range families[name].GetMetric() {
		has := map[string]string{}
		for _, l := range m.GetLabel() {
			has[l.GetName()] = l.GetValue()
		}
		match := true
		for i := 0; i+1 < len(labels); i += 2 {
			match = match && has[labels[i]] == labels[i+1]
		}
		switch {
		case !match:
		case m.GetHistogram() != nil:
			return float64(m.GetHistogram().GetSampleCount())
		case m.GetCounter() != nil:
			return m.GetCounter().GetValue()
		default:
			return m.GetGauge().GetValue()
		}
	}
	return -1
}

func TestMetricsAreScraped(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	h := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) { c.Metrics = registry })
	h.MustInstall("hello")
	h.Get("/hello/northwind/")
	h.Get("/hello/northwind/customers") // asks the platform, which refuses
	h.Get("/hello/northwind/nothing")
	h.Get("/admin/addons/hello/")

	var got map[string]*dto.MetricFamily
	h.Until("all four requests are counted, which a browser does not wait for, and it was not late to say that it lives", func() bool {
		got = scrape(t, registry)
		var n float64
		for _, which := range [][2]string{{"public", "2xx"}, {"public", "4xx"}, {"staff", "2xx"}} {
			n += max(value(got, "addonhost_page_request_duration_seconds", "addon", "hello", "surface", which[0], "code", which[1]), 0)
		}
		return n >= 4 && value(got, "addonhost_addon_state", "addon", "hello", "state", "healthy") == 1
	})
	for _, want := range []struct {
		value  float64
		name   string
		labels []string
	}{
		{2, "addonhost_page_request_duration_seconds", []string{"addon", "hello", "surface", "public", "code", "2xx"}},
		{1, "addonhost_page_request_duration_seconds", []string{"addon", "hello", "surface", "public", "code", "4xx"}},
		{1, "addonhost_page_request_duration_seconds", []string{"addon", "hello", "surface", "staff", "code", "2xx"}},
		{0, "addonhost_page_requests_in_flight", []string{"addon", "hello", "surface", "public"}},
		{1, "addonhost_service_call_duration_seconds", []string{"addon", "hello", "method", "Customers/Get", "code", "PermissionDenied"}},
		{1, "addonhost_addon_state", []string{"addon", "hello", "state", "healthy"}},
		{0, "addonhost_addon_state", []string{"addon", "hello", "state", "broken"}},
		{1, "addonhost_addon_info", []string{"addon", "hello", "version", "1.0.0"}},
		{0, "addonhost_addon_failures_total", []string{"addon", "hello"}},
	} {
		if v := value(got, want.name, want.labels...); v != want.value {
			t.Errorf("%s%v = %v, want %v", want.name, want.labels, v, want.value)
		}
	}
	if value(got, "go_sql_open_connections", "db_name", "host") < 0 {
		t.Error("no metrics of the database pool")
	}
	for name, family := range got {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if strings.Contains(l.GetValue(), "northwind") {
					t.Errorf("%s names a biller", name)
				}
			}
		}
	}
	if len(got) < 8 {
		t.Errorf("only %v", slices.Sorted(maps.Keys(got)))
	}
}

// A host that was closed leaves the registry to the next one.
func TestMetricsOfTheNextHost(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	for range 2 {
		t.Run("host", func(t *testing.T) {
			hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) { c.Metrics = registry }).MustInstall("hello")
		})
	}
	if got := scrape(t, registry); len(got) > 0 {
		t.Errorf("left behind: %v", slices.Sorted(maps.Keys(got)))
	}
}
