// Package observe lets operators see what the host and its add-ons do: metrics for
// Prometheus, traces for OpenTelemetry, and ids in log lines. It opens no listener
// and talks to nobody: the platform decides where metrics and spans go.
package observe

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// namespace begins the name of each metric.
const namespace = "addonhost"

// The outcomes of a mail.
const (
	// MailSent: the mail server accepted it.
	MailSent = "sent"
	// MailFailed: the mail server refused it for good.
	MailFailed = "failed"
	// MailDeferred: it may be tried again.
	MailDeferred = "deferred"
)

// The outcomes of a change of versions.
const (
	// Upgraded: another version serves, newer or older, as the operator wished.
	Upgraded = "upgraded"
	// Refused: the version failed its trial.
	Refused = "refused"
	// RolledBack: the version failed on probation, and the one before serves.
	RolledBack = "rolled_back"
)

// Metrics are the host's. Labels never hold a biller or a customer: their number
// has no bound. It is safe for concurrent use.
type Metrics struct {
	pages    *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
	refused  *prometheus.CounterVec
	calls    *prometheus.HistogramVec
	mails    *prometheus.CounterVec
	sending  *prometheus.GaugeVec
	versions *prometheus.CounterVec
	spans    *prometheus.CounterVec

	registered []prometheus.Collector
	registerer prometheus.Registerer
}

// NewMetrics registers the host's metrics, and those of more collectors. Nil
// registers nowhere. Close what it returns.
func NewMetrics(r prometheus.Registerer, more ...prometheus.Collector) (*Metrics, error) {
	m := &Metrics{
		pages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "page_request_duration_seconds",
			Help:    "Time from passing a page request to an add-on until its answer was complete.",
			Buckets: []float64{.0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"addon", "surface", "code"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "page_requests_in_flight", Help: "Page requests that an add-on answers now.",
		}, []string{"addon", "surface"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "page_requests_refused_total", Help: "Page requests refused because the add-on or the biller had as many in flight as they may.",
		}, []string{"addon", "surface"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "service_call_duration_seconds",
			Help:    "Time the host took to answer a call of an add-on. The code ResourceExhausted is a refusal by a rate limit.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 30},
		}, []string{"addon", "method", "code"}),
		mails: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "mails_total", Help: "Mails of an add-on handed to the mail server, by outcome: sent, failed, deferred.",
		}, []string{"addon", "outcome"}),
		sending: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "mails_queued", Help: "Mails that wait for the mail server, or are being handed to it.",
		}, []string{"addon"}),
		versions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "addon_version_changes_total", Help: "Versions tried, by outcome: upgraded, refused, rolled_back.",
		}, []string{"addon", "outcome"}),
		spans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "addon_spans_total", Help: "Spans that an add-on sent, by outcome: taken, dropped.",
		}, []string{"addon", "outcome"}),
		registerer: r,
	}
	all := []prometheus.Collector{m.pages, m.inFlight, m.refused, m.calls, m.mails, m.sending, m.versions, m.spans}
	return m, m.Register(append(all, more...)...)
}

// Register registers more collectors, which Close takes out again. After an error
// all are out.
func (m *Metrics) Register(more ...prometheus.Collector) error {
	if m.registerer == nil {
		return nil
	}
	for _, c := range more {
		if err := m.registerer.Register(c); err != nil {
			return errors.Join(fmt.Errorf("register metrics: %w", err), m.Close())
		}
		m.registered = append(m.registered, c)
	}
	return nil
}

// Close takes the metrics out of the registry.
func (m *Metrics) Close() error {
	for _, c := range m.registered {
		m.registerer.Unregister(c)
	}
	m.registered = nil
	return nil
}

// Page counts a page request that is passed on. Call the result once, with the
// status that the browser got, or 499 if it went away.
func (m *Metrics) Page(addonID, surface string) (end func(status int)) {
	began, gauge := time.Now(), m.inFlight.WithLabelValues(addonID, surface)
	gauge.Inc()
	return func(status int) {
		gauge.Dec()
		m.pages.WithLabelValues(addonID, surface, class(status)).Observe(time.Since(began).Seconds())
	}
}

// PageRefused counts a request that was not passed on.
func (m *Metrics) PageRefused(addonID, surface string) {
	m.refused.WithLabelValues(addonID, surface).Inc()
}

// Called counts a call of an add-on, by the name of the method and of the code.
func (m *Metrics) Called(addonID, method, code string, took time.Duration) {
	m.calls.WithLabelValues(addonID, method, code).Observe(took.Seconds())
}

// Mail counts a mail that is handed to the mail server. Call the result once, with
// what became of it.
func (m *Metrics) Mail(addonID string) (end func(outcome string)) {
	gauge := m.sending.WithLabelValues(addonID)
	gauge.Inc()
	return func(outcome string) {
		gauge.Dec()
		m.mails.WithLabelValues(addonID, outcome).Inc()
	}
}

// Version counts what became of a version that was tried.
func (m *Metrics) Version(addonID, outcome string) {
	m.versions.WithLabelValues(addonID, outcome).Inc()
}

// Spans counts what an add-on sent.
func (m *Metrics) Spans(addonID string, taken, dropped int) {
	m.spans.WithLabelValues(addonID, "taken").Add(float64(taken))
	m.spans.WithLabelValues(addonID, "dropped").Add(float64(dropped))
}

// class returns "2xx" for 200.
func class(status int) string {
	if status < http.StatusContinue || status > 599 {
		return "other"
	}
	return strconv.Itoa(status/100) + "xx"
}
