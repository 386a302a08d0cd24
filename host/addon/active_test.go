package addon_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
)

func TestActiveRules(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	v1, v2, v3 := addon.Version{Version: "1.0.0", Digest: "d1"}, addon.Version{Version: "2.0.0", Digest: "d2"}, addon.Version{Version: "3.0.0", Digest: "d3"}
	active := func(current, next, previous addon.Version) addon.Active {
		return addon.Active{AddonID: "a", Version: current.Version, Digest: current.Digest, Next: next, Previous: previous}
	}
	onProbation := active(v2, addon.Version{}, v1)
	onProbation.ProbationUntil = now.Add(time.Nanosecond)
	over := onProbation
	over.ProbationUntil = now
	with := func(a addon.Active, v addon.Version) addon.Active {
		a.Failed = addon.Refusal{Version: v, Reason: "r", At: now}
		return a
	}
	promote := func(a addon.Active, v addon.Version) (addon.Active, bool) { return a.Promoted(v, now.Add(time.Minute)) }
	refuse := func(a addon.Active, v addon.Version) (addon.Active, bool) { return a.Refused(v, "r", now) }
	promoted := active(v2, addon.Version{}, v1)
	promoted.ProbationUntil = now.Add(time.Minute)
	tests := []struct {
		name string
		do   func(addon.Active, addon.Version) (addon.Active, bool)
		from addon.Active
		v    addon.Version
		want addon.Active
		ok   bool
	}{
		{"promote the wanted", promote, with(active(v1, v2, v3), v3), v2, promoted, true},
		{"promote another", promote, active(v1, v2, v3), v3, active(v1, v2, v3), false},
		{"promote when none is wanted", promote, active(v1, addon.Version{}, v3), addon.Version{}, active(v1, addon.Version{}, v3), false},
		{"refuse the wanted", refuse, active(v1, v2, v3), v2, with(active(v1, addon.Version{}, v3), v2), true},
		{"refuse on probation", refuse, onProbation, v2, with(active(v1, addon.Version{}, addon.Version{}), v2), true},
		{"refuse after probation", refuse, over, v2, over, false},
		{"refuse another", refuse, onProbation, v3, onProbation, false},
		{"refuse nothing", refuse, active(v1, addon.Version{}, v3), addon.Version{}, active(v1, addon.Version{}, v3), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := tt.do(tt.from, tt.v)
			if diff := cmp.Diff(tt.want, got); ok != tt.ok || diff != "" {
				t.Errorf("ok = %t (-want +got):\n%s", ok, diff)
			}
		})
	}
}
