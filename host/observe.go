package host

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/billing-addons/customer-portal/host/observe"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// Observe gives each request its id (the header X-Request-Id says it, log lines
// and error pages repeat it) and, where Config.Tracing is set, its span. Wrap the
// whole of the platform's pages in it; Handler does so for its own.
func (h *Host) Observe(next http.Handler) http.Handler {
	q := observe.Requests{Trusted: h.pages.Trusts, NewID: h.pages.RequestID}
	if t := h.config.Tracing; t != nil {
		q.Provider = t.Provider
	}
	return q.Wrap(next)
}

// LogHandler returns a handler that adds to each line the id of the request or job
// that its context belongs to, and that of its trace: request_id, job_id, trace_id.
// Give the platform's own logger one; Config.Log gets it by itself.
func LogHandler(next slog.Handler) slog.Handler { return observe.LogHandler(next) }

// openMetrics registers what the host counts. It comes after the store.
func (h *Host) openMetrics(context.Context) (err error) {
	more := []prometheus.Collector{collectors.NewDBStatsCollector(h.db.W.DB, "host")}
	if h.db.R != h.db.W {
		more = append(more, collectors.NewDBStatsCollector(h.db.R.DB, "host_read"))
	}
	if h.metrics, err = observe.NewMetrics(h.config.Metrics, more...); err != nil {
		return err
	}
	if t := h.config.Tracing; t != nil {
		h.tracer = observe.NewTracer(*t, h.metrics, h.config.Now)
	}
	return nil
}

// openStates registers the states of add-ons. It comes after the supervisor.
func (h *Host) openStates(context.Context) error {
	return h.metrics.Register(observe.Addons(supervisorStates(), h.addonStates))
}

func supervisorStates() []string {
	var list []string
	for _, s := range []supervisor.State{
		supervisor.Stopped, supervisor.Starting, supervisor.Healthy, supervisor.Degraded,
		supervisor.BackingOff, supervisor.Broken, supervisor.Draining,
	} {
		list = append(list, string(s))
	}
	return list
}

func (h *Host) addonStates() []observe.Addon {
	var list []observe.Addon
	for _, s := range h.fleet.Statuses() {
		list = append(list, observe.Addon{ID: s.AddonID, Version: s.Version, State: string(s.State), Failures: s.Failures})
	}
	return list
}

// tracing is the supervisor's Tracing.
func (h *Host) tracing(addonID, version string) *wire.Tracing {
	return h.tracer.Process(addonID, version)
}
