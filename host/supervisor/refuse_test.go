package supervisor_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

func TestRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		mode, message string
	}{
		{"prints first", "Hello, I am starting."},
		{"lies", "The program says it is test-addon 9.9.9; its manifest says test-addon 1.0.0."},
		{"offers nothing", "The program offers nothing; its manifest says invite."},
		{"start fails", "the schema is too new"},
		{"dies at once", "cannot find my config"},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			w := mustWorld(t, tt.mode)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := w.Ensure(ctx, w.active)
			if !strings.Contains(apperr.MessageOf(err), tt.message) {
				t.Errorf("Ensure = %v, want %q", err, tt.message)
			}
			if _, err := w.Client("test-addon"); !apperr.Is(err, apperr.Unavailable) || apperr.RetryAfterOf(err) < time.Second {
				t.Errorf("Client = %v", err)
			}
		})
	}
}

func TestHangingStartIsKilled(t *testing.T) {
	t.Parallel()
	binary, err := program()
	must(t, err)
	w := mustWorldOf(t, mustDir(t), binary, "hangs", func(c *supervisor.Config) { c.Times.Handshake = 3 * time.Second })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.Ensure(ctx, w.active); !strings.Contains(apperr.MessageOf(err), "timeout") {
		t.Errorf("Ensure = %v", err)
	}
}

func TestChangedPackageIsRefusedByName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{pack.BinaryPath(runtime.GOOS + "/" + runtime.GOARCH), "mode", "extra"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			w := mustWorld(t, "")
			w.mustEnsure(t)
			path := filepath.Join(w.dir, "packages", w.active.Digest, name)
			mustFlip(t, path)
			w.mustSignal(t, syscall.SIGKILL)
			until(t, "the package is refused", func() bool {
				s := w.status()
				return s.State == supervisor.BackingOff && s.Err != nil && strings.Contains(s.Err.Error(), name)
			})
		})
	}
}

// mustFlip changes one byte of a file, which gets a new inode.
func mustFlip(tb testing.TB, path string) {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		data = []byte("?")
	}
	mode := os.FileMode(0o444)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
		must(tb, os.Remove(path))
	}
	if len(data) == 0 {
		data = []byte("x")
	}
	data[len(data)/2] ^= 1
	must(tb, os.WriteFile(path, data, mode))
}
