package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/host/observe"
	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

const (
	// addonSpans is how many finished spans of add-ons wait to be sent at most.
	addonSpans = 16 << 10
	// lastSpans is how long what waits may take when the program ends.
	lastSpans = 5 * time.Second
	// scrapeTime bounds the statements of one scrape.
	scrapeTime = 2 * time.Second
)

// watch is where metrics and spans go; zero for nowhere.
type watch struct {
	registry *prometheus.Registry
	listener net.Listener
	tracing  *observe.Tracing
}

// registerer is nil where metrics are not served.
func (w watch) registerer() prometheus.Registerer {
	if w.registry == nil {
		return nil
	}
	return w.registry
}

func (s *server) openWatch(ctx context.Context) error {
	if s.config.traced {
		if err := s.openTraces(ctx); err != nil {
			return fmt.Errorf("open traces: %w", err)
		}
	}
	if s.config.MetricsAddr == "" {
		return nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", s.config.MetricsAddr)
	if err != nil {
		return fmt.Errorf("METRICS_ADDR: %w", err)
	}
	s.closers = append(s.closers, func() error {
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	s.watch.listener, s.watch.registry = listener, prometheus.NewRegistry()
	s.watch.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.log.Info("metrics are served", "address", listener.Addr().String())
	return nil
}

// openTraces sends spans where the environment says.
func (s *server) openTraces(ctx context.Context) error {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return err
	}
	who, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "billhost"), attribute.String("service.version", Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		s.log.Warn("traces were not sent", "error", err.Error())
	}))
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(who), sdktrace.WithBatcher(exporter))
	addons := sdktrace.NewBatchSpanProcessor(exporter, sdktrace.WithMaxQueueSize(addonSpans))
	s.watch.tracing = &observe.Tracing{Provider: provider, Addons: addons, Ratio: s.config.ratio}
	s.closers = append(s.closers, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSpans)
		defer cancel()
		// The first to end closes the exporter, so both send before.
		return errors.Join(addons.ForceFlush(ctx), provider.ForceFlush(ctx), addons.Shutdown(ctx), provider.Shutdown(ctx))
	})
	return nil
}

// countBooks registers what the platform itself counts.
func (s *server) countBooks() error {
	r := s.watch.registry
	if r == nil {
		return nil
	}
	list := []prometheus.Collector{collectors.NewDBStatsCollector(s.books.db.W.DB, "billhost"), newBacklog(s.outbox, s.log)}
	if s.books.db.R != s.books.db.W {
		list = append(list, collectors.NewDBStatsCollector(s.books.db.R.DB, "billhost_read"))
	}
	for _, c := range list {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// serveMetrics serves /metrics until the listener is closed.
func (s *server) serveMetrics(ctx context.Context) error {
	if s.watch.listener == nil {
		<-ctx.Done()
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.watch.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 2 * scrapeTime,
	}))
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })() // a scrape that is cut off comes again
	if err := srv.Serve(s.watch.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// backlog collects what waits in the outbox.
type backlog struct {
	worker   *jobs.Worker
	log      *slog.Logger
	due, age *prometheus.Desc
}

func newBacklog(w *jobs.Worker, log *slog.Logger) *backlog {
	return &backlog{
		worker: w, log: log,
		due: prometheus.NewDesc("billhost_jobs_due", "Jobs that are due and wait for a worker.", nil, nil),
		age: prometheus.NewDesc("billhost_jobs_oldest_due_seconds", "How long the oldest due job has waited.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (b *backlog) Describe(out chan<- *prometheus.Desc) { out <- b.due; out <- b.age }

// Collect implements prometheus.Collector.
func (b *backlog) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	waiting, err := b.worker.Backlog(ctx)
	if err != nil {
		b.log.WarnContext(ctx, "jobs not counted", "error", err.Error())
		return
	}
	out <- prometheus.MustNewConstMetric(b.due, prometheus.GaugeValue, float64(waiting.Due))
	out <- prometheus.MustNewConstMetric(b.age, prometheus.GaugeValue, waiting.Age.Seconds())
}

// traced returns ctx for work that no request caused, each piece a trace of its own.
func (s *server) traced(ctx context.Context) context.Context {
	if s.watch.tracing == nil {
		return ctx
	}
	return telemetry.WithProvider(ctx, s.watch.tracing.Provider, trace.SpanContext{})
}
