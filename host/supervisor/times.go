package supervisor

import "time"

// Times says how long the supervisor waits. A zero field means its default.
type Times struct {
	// Poll is how often the store is asked; 2 s.
	Poll time.Duration
	// Handshake bounds a program's first word (10 s), Start the add-on's own
	// start (60 s), Enable one round of telling it its billers (2 min).
	Handshake, Start, Enable time.Duration
	// Health is how often a process is asked whether it lives (5 s), Answer how
	// long it may take (2 s). Three misses end it.
	Health, Answer time.Duration
	// SelfTest bounds the page that a version on trial is asked for; 10 s.
	SelfTest time.Duration
	// Drain bounds the requests in flight at a stop (10 s), Stop the add-on's
	// clean-up (5 s), Kill go-plugin's own attempt to end it (4 s).
	Drain, Stop, Kill time.Duration
	// FirstRest and LongestRest bound the pause before a restart, which doubles
	// with each failure: 0.5 s and 60 s. Up to a quarter is taken off at random.
	FirstRest, LongestRest time.Duration
}

func (t Times) withDefaults() Times {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Poll, 2 * time.Second},
		{&t.Handshake, 10 * time.Second},
		{&t.Start, time.Minute},
		{&t.Enable, 2 * time.Minute},
		{&t.Health, 5 * time.Second},
		{&t.Answer, 2 * time.Second},
		{&t.SelfTest, 10 * time.Second},
		{&t.Drain, 10 * time.Second},
		{&t.Stop, 5 * time.Second},
		{&t.Kill, 4 * time.Second},
		{&t.FirstRest, 500 * time.Millisecond},
		{&t.LongestRest, time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return t
}
