package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/supervisor"
)

// TestRunningStatus shows what other processes say of an add-on.
func TestRunningStatus(t *testing.T) {
	t.Parallel()
	at := time.Now().UTC().Truncate(time.Second)
	day := at.Format(time.RFC3339)
	v := addon.Version{Version: "1.0.0", Digest: "d1"}
	healthy := addon.Process{
		Host: "m1:1", AddonID: "portal", Version: v, State: "healthy", Since: at, PID: 42, Protection: []string{"rlimits", "landlock"}, Heartbeat: at,
	}
	bare, resting, gone := healthy, healthy, healthy
	bare.Host, bare.Protection = "m2:2", nil
	resting.Host, resting.State, resting.RetryAt, resting.PID, resting.Protection, resting.Error = "m3:3", "backing off", at, 0, nil, "It\nfell."
	gone.Host, gone.Heartbeat = "m4:4", at.Add(-time.Minute)
	s := host.Status{
		Active: addon.Active{AddonID: "portal", Version: "1.0.0", Digest: "d1"}, State: supervisor.BackingOff, RetryAt: at,
		Processes: []addon.Process{healthy, resting, gone},
	}
	want := "portal\t1.0.0\tbacking off (next try at " + day + ")\tprotection: rlimits, landlock" +
		"\n  m1:1\t1.0.0\thealthy\tprotection: rlimits, landlock\tsince " + day + "\tpid 42" +
		"\n  m3:3\t1.0.0\tbacking off (next try at " + day + ")\tsince " + day + "\tIt fell." +
		"\n  m4:4\tgone without a word; it was healthy at " + gone.Heartbeat.Format(time.RFC3339)
	if diff := cmp.Diff(want, newVersionStatus(s).String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Processes = append(s.Processes, bare)
	got, err := json.Marshal(newVersionStatus(s))
	if err != nil || !strings.Contains(string(got), `"process":"backing off","next_try":"`+day+`","protection":["none"],"hosts":[{"host":"m1:1"`) ||
		!strings.Contains(string(got), `"gone":true`) {
		t.Errorf("JSON %s, %v", got, err)
	}
}

func TestVersionStatus(t *testing.T) {
	t.Parallel()
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	plain := addon.Active{AddonID: "portal", Version: "1.0.0", Digest: "d1"}
	tried, proven, refused, failed := plain, plain, plain, plain
	failed.Failed = addon.Refusal{Version: plain.Current(), Reason: "It fell over."}
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
		{failed, "portal\t1.0.0\tfailed 1.0.0: It fell over.", `{"addon":"portal","version":"1.0.0","refused":"1.0.0","reason":"It fell over."}`},
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
	v := newVersionStatus(host.Status{Active: plain, WithdrawnAt: until})
	day := until.Format(time.DateOnly)
	if got := v.String(); got != "portal\t1.0.0\twithdrawn from the marketplace on "+day {
		t.Errorf("withdrawn: %q", got)
	}
	if got, err := json.Marshal(v); err != nil || !strings.Contains(string(got), `"withdrawn":"`+until.Format(time.RFC3339)+`"`) {
		t.Errorf("withdrawn: %s, %v", got, err)
	}
}
