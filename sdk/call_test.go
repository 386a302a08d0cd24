package sdk_test

import (
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
)

func TestViewerFresh(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		at   time.Time
		want bool
	}{
		"just now":                     {noon, true},
		"nearly too old":               {noon.Add(time.Nanosecond - sdk.FreshLife), true},
		"too old":                      {noon.Add(-sdk.FreshLife), false},
		"the platform does not tell":   {time.Time{}, true},
		"a platform whose clock leads": {noon.Add(time.Minute), true},
	} {
		if got := (sdk.Viewer{StaffID: "s1", AuthenticatedAt: tt.at}).Fresh(noon); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
