package supervisor

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	t.Parallel()
	type step struct {
		after   time.Duration // since the failure before
		healthy time.Duration
		said    bool // the add-on said what is wrong
		jitter  float64
		rest    time.Duration
		broken  bool
	}
	const s = time.Second
	tests := []struct {
		name  string
		steps []step
	}{
		{"doubles up to the longest", []step{
			{said: true, rest: s / 2}, {said: true, rest: s}, {said: true, rest: 2 * s}, {said: true, rest: 4 * s}, {said: true, rest: 8 * s},
			{said: true, rest: 16 * s}, {said: true, rest: 32 * s}, {said: true, rest: 60 * s}, {said: true, rest: 60 * s},
		}},
		{"jitter takes up to a quarter off", []step{{jitter: 1, rest: 375 * time.Millisecond}, {jitter: 0.5, rest: 875 * time.Millisecond}}},
		{"begins anew after ten healthy minutes", []step{
			{rest: s / 2}, {after: s, healthy: s, rest: s}, {after: time.Hour, healthy: settled, rest: 2 * s},
			{after: time.Hour, healthy: settled + 1, rest: s / 2},
		}},
		{"the fifth crash within ten minutes breaks it", []step{
			{rest: s / 2}, {after: s, rest: s}, {after: s, rest: 2 * s}, {after: s, rest: 4 * s}, {after: 9 * time.Minute, rest: 8 * s, broken: true},
		}},
		{"five crashes within more do not", []step{
			{rest: s / 2}, {after: 151 * s, rest: s}, {after: 151 * s, rest: 2 * s}, {after: 151 * s, rest: 4 * s}, {after: 151 * s, rest: 8 * s},
			{after: 1 * s, rest: 16 * s, broken: true},
		}},
		{"what the add-on says is no crash", []step{
			{said: true, rest: s / 2}, {rest: s}, {rest: 2 * s}, {rest: 4 * s}, {rest: 8 * s}, {said: true, rest: 16 * s}, {rest: 32 * s, broken: true},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &pace{first: s / 2, longest: time.Minute}
			at := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
			for i, st := range tt.steps {
				at = at.Add(st.after)
				rest, broken := p.fail(failure{at: at, healthyFor: st.healthy, crash: !st.said}, st.jitter)
				if rest != st.rest || broken != st.broken {
					t.Errorf("failure %d: %v, %t; want %v, %t", i+1, rest, broken, st.rest, st.broken)
				}
			}
			p.reset()
			if rest, broken := p.fail(failure{at: at, crash: true}, 0); rest != s/2 || broken {
				t.Errorf("after reset: %v, %t", rest, broken)
			}
		})
	}
}
