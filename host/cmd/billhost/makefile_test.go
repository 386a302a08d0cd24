package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestNothingIsOfferedUnchecked looks at what make would do: a package is validated,
// which compares the program's version with the manifest's, before it is published,
// and after it is packed.
func TestNothingIsOfferedUnchecked(t *testing.T) {
	t.Parallel()
	for goal, steps := range map[string][]string{
		"publish": {"bin/addon pack", "bin/addon validate --quiet dist/local.addon", "marketplace publish"},
		"run":     {"bin/addon pack", "bin/addon validate --quiet dist/local.addon", "marketplace publish", "billhost serve --dev"},
		"package": {"bin/addon pack", "bin/addon validate --quiet dist/customer-portal-"},
	} {
		cmd := exec.CommandContext(t.Context(), "make", "--dry-run", "--always-make", goal)
		cmd.Dir = "../../.."
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("make %s: %v\n%s", goal, err, out)
		}
		rest := string(out)
		for _, step := range steps {
			_, after, ok := strings.Cut(rest, step)
			if !ok {
				t.Errorf("make %s: no %q after the step before, in\n%s", goal, step, out)
			}
			rest = after
		}
	}
}
