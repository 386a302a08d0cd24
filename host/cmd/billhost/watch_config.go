package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
)

// watchConfig says how operators see what the platform does. Traces are set by the
// environment variables of OpenTelemetry.
type watchConfig struct {
	MetricsAddr   string `env:"METRICS_ADDR" help:"Address on which /metrics is served to Prometheus, such as 127.0.0.1:9464; nowhere by default."`
	MetricsRemote bool   `env:"METRICS_REMOTE" help:"Let METRICS_ADDR be reachable from other machines: nobody is asked who they are there."`

	// traced, and ratio, the share of an add-on's own traces, come from checkWatch.
	traced bool
	ratio  float64
}

func (c *Config) checkWatch() error {
	if err := c.checkTraces(); err != nil {
		return err
	}
	if c.MetricsAddr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.MetricsAddr)
	if err != nil {
		return fmt.Errorf("METRICS_ADDR %q must look like 127.0.0.1:9464", c.MetricsAddr)
	}
	addr, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !addr.IsLoopback()) && !c.MetricsRemote {
		return fmt.Errorf("METRICS_ADDR %s can be reached from other machines; if only your own network can, say METRICS_REMOTE=true", c.MetricsAddr)
	}
	return nil
}

// checkTraces looks at OpenTelemetry's variables that the libraries do not check.
func (c *Config) checkTraces() error {
	endpoint := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
	exporter := cmp.Or(os.Getenv("OTEL_TRACES_EXPORTER"), "otlp")
	disabled, _ := strconv.ParseBool(os.Getenv("OTEL_SDK_DISABLED")) // anything but true is false
	if endpoint == "" || exporter == "none" || disabled {
		return nil
	}
	if exporter != "otlp" {
		return fmt.Errorf("OTEL_TRACES_EXPORTER %q is not known here; otlp and none are", exporter)
	}
	protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf")
	if protocol != "http/protobuf" {
		return errors.New("OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf, on port 4318 of most collectors")
	}
	c.traced, c.ratio = true, 1
	switch os.Getenv("OTEL_TRACES_SAMPLER") {
	case "always_off", "parentbased_always_off":
		c.ratio = 0
	case "traceidratio", "parentbased_traceidratio":
		if ratio, err := strconv.ParseFloat(os.Getenv("OTEL_TRACES_SAMPLER_ARG"), 64); err == nil {
			c.ratio = max(0, min(ratio, 1))
		}
	}
	return nil
}
