package supervisor

import "time"

// Meter counts what becomes of versions, and the calls that add-ons make.
type Meter interface {
	// Version hears that a version was "upgraded" to, "refused" after its trial, or
	// "rolled_back" from.
	Version(addonID, outcome string)
	// Called hears of a call of the host's services, by the names of its method and
	// of the code of its answer.
	Called(addonID, method, code string, took time.Duration)
}

// noMeter hears nothing.
type noMeter struct{}

// Version implements Meter.
func (noMeter) Version(string, string) {}

// Called implements Meter.
func (noMeter) Called(string, string, string, time.Duration) {}
