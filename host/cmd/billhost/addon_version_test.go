package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
)

func TestVersionStatus(t *testing.T) {
	t.Parallel()
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	plain := addon.Active{AddonID: "portal", Version: "1.0.0", Digest: "d1"}
	tried, proven, refused := plain, plain, plain
	tried.Next = addon.Version{Version: "1.1.0", Digest: "d2"}
	proven.Previous, proven.ProbationUntil = addon.Version{Version: "0.9.0", Digest: "d0"}, until
	refused.Failed = addon.Refusal{Version: addon.Version{Version: "1.1.0", Digest: "d2"}, Reason: "It fell over."}
	for _, tt := range []struct {
		active     addon.Active
		text, json string
	}{
		{plain, "portal\t1.0.0", `{"addon":"portal","version":"1.0.0"}`},
		{tried, "portal\t1.0.0\ttries 1.1.0", `{"addon":"portal","version":"1.0.0","wanted":"1.1.0"}`},
		{
			proven, "portal\t1.0.0\tbefore 0.9.0\ton probation until " + until.Format(time.RFC3339),
			`{"addon":"portal","version":"1.0.0","previous":"0.9.0","probation_until":"` + until.Format(time.RFC3339) + `"}`,
		},
		{refused, "portal\t1.0.0\trefused 1.1.0: It fell over.", `{"addon":"portal","version":"1.0.0","refused":"1.1.0","reason":"It fell over."}`},
	} {
		v := newVersionStatus(host.Status{Active: tt.active})
		if got := v.String(); got != tt.text {
			t.Errorf("text %q, want %q", got, tt.text)
		}
		if got, err := json.Marshal(v); err != nil || string(got) != tt.json {
			t.Errorf("JSON %s, %v; want %s", got, err, tt.json)
		}
	}
}
