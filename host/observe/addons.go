package observe

import "github.com/prometheus/client_golang/prometheus"

// Addon is how an add-on is doing.
type Addon struct {
	ID, Version string
	// State is one of States.
	State string
	// Failures counts the times that it failed and was started again.
	Failures int
}

// addons asks how the add-ons are, at each scrape.
type addons struct {
	states []string
	list   func() []Addon

	state, info, restarts *prometheus.Desc
}

// Addons returns a collector of the states of add-ons. states are all there are.
func Addons(states []string, list func() []Addon) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return &addons{
		states: states, list: list,
		state:    desc("addon_state", "1 for the state that the add-on is in, 0 for the others.", "addon", "state"),
		info:     desc("addon_info", "Always 1; the version of the add-on that is to run.", "addon", "version"),
		restarts: desc("addon_failures_total", "Times the add-on failed and was started again or given up, since the host started.", "addon"),
	}
}

// Describe implements prometheus.Collector.
func (a *addons) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{a.state, a.info, a.restarts} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (a *addons) Collect(out chan<- prometheus.Metric) {
	for _, addon := range a.list() {
		for _, state := range a.states {
			value := 0.0
			if state == addon.State {
				value = 1
			}
			out <- prometheus.MustNewConstMetric(a.state, prometheus.GaugeValue, value, addon.ID, state)
		}
		out <- prometheus.MustNewConstMetric(a.info, prometheus.GaugeValue, 1, addon.ID, addon.Version)
		out <- prometheus.MustNewConstMetric(a.restarts, prometheus.CounterValue, float64(addon.Failures), addon.ID)
	}
}
