package walls_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// inherited is how many modules an add-on author may inherit.
const inherited = 25

// TestWhatAddonAuthorsInherit counts the modules below sdk/serve, this one
// included.
func TestWhatAddonAuthorsInherit(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", module+"sdk/serve").Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := strings.Fields(string(out))
	slices.Sort(modules)
	modules = slices.Compact(modules)
	if len(modules) < 5 || len(modules) > inherited {
		t.Errorf("sdk/serve brings %d modules, at most %d are allowed:\n%s", len(modules), inherited, strings.Join(modules, "\n"))
	}
	for _, m := range modules {
		if strings.HasPrefix(m, "go.opentelemetry.io/otel/exporters") || strings.HasPrefix(m, "github.com/prometheus/") {
			t.Errorf("an add-on needs no %s: its host exports", m)
		}
	}
}
