package refusal_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/refusal"
)

// TestFloodsAreCounted: so many lines a minute for each reason, whoever asks at
// once, and then how many more there were.
func TestFloodsAreCounted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(1_800_000_000, 0)
	l := refusal.New(slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return now })
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 25 {
				l.Refused(t.Context(), refusal.Role, "staff", "s1\nlevel=ERROR")
			}
		})
	}
	wg.Wait()
	l.Refused(t.Context(), refusal.Origin)
	listed := func(line string) int { return strings.Count(out.String(), line) }
	if got := listed(`msg="request refused" why=role staff="s1\nlevel=ERROR"`); got != refusal.Lines {
		t.Errorf("%d lines, want %d", got, refusal.Lines)
	}
	if listed("why=origin") != 1 || listed("not listed") != 0 {
		t.Errorf("a flood of one kind hides another:\n%s", out.String())
	}
	now = now.Add(time.Minute)
	l.Refused(t.Context(), refusal.Role)
	if listed(`msg="requests refused that are not listed" why=role count=340`) != 1 || listed(`msg="request refused" why=role`) != refusal.Lines+1 {
		t.Errorf("a minute later:\n%s", out.String()[max(0, out.Len()-300):])
	}
}
