package supervisor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func mustRoot(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("needs root, who alone starts processes of other users")
	}
}

func TestUsersCheck(t *testing.T) {
	t.Parallel()
	must(t, Users{}.Check())
	if os.Geteuid() != 0 {
		if err := (Users{70000, 70999}).Check(); err == nil || !strings.Contains(err.Error(), "only root") {
			t.Errorf("without root: %v", err)
		}
		return
	}
	must(t, Users{70000, 70999}.Check())
	for _, u := range []Users{{0, 10}, {-1, 10}, {10, 9}} {
		if u.Check() == nil {
			t.Errorf("%v is accepted", u)
		}
	}
}

func TestFolderWithoutUsers(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "addons")
	dir, user, err := Users{}.Folder(root, "hello")
	if err != nil || user != 0 || dir != filepath.Join(root, "hello") {
		t.Errorf("%q, %d, %v", dir, user, err)
	}
	info, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestFoldersOfUsers(t *testing.T) {
	t.Parallel()
	mustRoot(t)
	root := filepath.Join(t.TempDir(), "addons")
	three := Users{70000, 70002}
	taken := map[int]string{}
	for _, id := range []string{"a", "b", "c"} {
		dir, user, err := three.Folder(root, id)
		must(t, err)
		if other, ok := taken[user]; ok || !three.has(user) {
			t.Errorf("%s is user %d, as %s", id, user, other)
		}
		taken[user] = id
		if uid, err := ownerOf(dir); err != nil || uid != user {
			t.Errorf("%s belongs to %d, %v", dir, uid, err)
		}
	}
	for user, id := range taken { // the same at the next start
		if _, again, err := three.Folder(root, id); err != nil || again != user {
			t.Errorf("%s is user %d now, not %d: %v", id, again, user, err)
		}
	}
	if _, _, err := three.Folder(root, "d"); !apperr.Is(err, apperr.Unavailable) || !strings.Contains(apperr.MessageOf(err), "70000-70002") {
		t.Errorf("a fourth of three: %v", err)
	}
}

// TestFolderChangesHands between the host's user, one range and another.
func TestFolderChangesHands(t *testing.T) {
	t.Parallel()
	mustRoot(t)
	top := t.TempDir()
	root, foreign := filepath.Join(top, "addons"), filepath.Join(top, "foreign")
	dir, _, err := Users{}.Folder(root, "hello")
	must(t, err)
	must(t, os.Mkdir(filepath.Join(dir, "more"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "more", "data.db"), nil, 0o600))
	must(t, os.WriteFile(foreign, nil, 0o600))
	must(t, os.Symlink(foreign, filepath.Join(dir, "link")))
	must(t, os.Link(foreign, filepath.Join(dir, "name")))
	for _, u := range []Users{{70000, 70009}, {70020, 70029}, {}} {
		_, user, err := u.Folder(root, "hello")
		must(t, err)
		for _, name := range []string{"", "more", "more/data.db"} {
			info, err := os.Lstat(filepath.Join(dir, name))
			must(t, err)
			if uid := int(info.Sys().(*syscall.Stat_t).Uid); uid != user {
				t.Errorf("%v: %q belongs to %d, not %d", u, name, uid, user)
			}
		}
		info, err := os.Lstat(foreign)
		must(t, err)
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 {
			t.Errorf("%v: a file that has another name elsewhere belongs to %d", u, uid)
		}
	}
}

func TestLetPass(t *testing.T) {
	t.Parallel()
	top, err := os.MkdirTemp("", "pass")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(top)) })
	must(t, os.Chmod(top, 0o755))
	dir := filepath.Join(top, "data")
	must(t, os.Mkdir(dir, 0o700))
	for _, name := range []string{"host", "other"} {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(dir, "host.db"), nil, 0o644))
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "link")))
	err = LetPass(dir, "host")
	if apperr.Is(err, apperr.Unavailable) && slices.Contains(strings.Fields(apperr.MessageOf(err)), "lets") {
		t.Skipf("needs a temporary folder that everybody can pass: %v", err)
	}
	must(t, err)
	for name, want := range map[string]os.FileMode{"": 0o711, "host": 0o755, "other": 0o700, "host.db": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%q has mode %v, want %v", name, info.Mode().Perm(), want)
		}
	}
	closed := filepath.Join(top, "closed")
	must(t, os.MkdirAll(filepath.Join(closed, "data"), 0o700))
	if err := LetPass(filepath.Join(closed, "data")); !apperr.Is(err, apperr.Unavailable) || !strings.Contains(apperr.MessageOf(err), closed+" lets nobody pass") {
		t.Errorf("below a closed folder: %v", err)
	}
}
