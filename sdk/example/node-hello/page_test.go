package nodehello_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/wire"
)

// The page on other languages and the add-on's own constants follow the wire.
func TestConstantsAreThoseOfTheWire(t *testing.T) {
	t.Parallel()
	shake := wire.Handshake()
	both := []string{shake.MagicCookieKey, shake.MagicCookieValue, wire.LifelineEnv, wire.TokenKey}
	page := append(both, fmt.Sprintf("A message has %d MiB", wire.MaxMessage>>20),
		fmt.Sprintf("holds %d KiB", wire.ChunkSize>>10), fmt.Sprintf("version %d", wire.Version))
	for file, words := range map[string][]string{
		filepath.Join("..", "..", "..", "docs", "other-languages.md"): page,
		"goplugin.js main.js": both,
	} {
		var text strings.Builder
		for _, name := range strings.Fields(file) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(b)
		}
		for _, w := range words {
			if !strings.Contains(text.String(), w) {
				t.Errorf("%s does not say %q", file, w)
			}
		}
	}
}
