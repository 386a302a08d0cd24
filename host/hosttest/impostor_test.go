package hosttest_test

import (
	"strings"
	"testing"
)

// TestImpostorIsRefusedAndLogged has an add-on's socket answer with a certificate
// that is not the one of the handshake: the log says so, and nothing is served.
func TestImpostorIsRefusedAndLogged(t *testing.T) {
	s := newScene(t, "impostor")
	s.play(false, func(s *scene) {
		s.Until("the log says why", func() bool {
			for line := range strings.Lines(s.log.String()) {
				if strings.Contains(line, `level=ERROR msg="add-on failed" addon=rascal`) && strings.Contains(line, "authentication handshake failed: tls: failed to verify certificate") {
					return true
				}
			}
			return false
		})
		doesNotStart("authentication handshake failed")(s)
	})
}
