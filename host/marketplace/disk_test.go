package marketplace_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// mustSmallDisk mounts a disk of 512 KiB until the test ends.
func mustSmallDisk(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "size=512k"); err != nil {
		tb.Skipf("needs the right to mount a small disk, as root has outside most containers: %v", err)
	}
	tb.Cleanup(func() { must(tb, syscall.Unmount(dir, 0)) })
	return dir
}

// noise is a program that does not compress below 1 MiB.
func noise() string {
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < 2<<20 {
		b.WriteByte(byte(' ' + r.IntN(95)))
	}
	return b.String()
}

// left names what is in a folder.
func left(tb testing.TB, dir string) []string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	must(tb, err)
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestUnpackOnAFullDisk, a real one: people read that it is the disk, nothing is left
// of the attempt, and with room the same package unpacks.
func TestUnpackOnAFullDisk(t *testing.T) {
	t.Parallel()
	disk := mustSmallDisk(t)
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", noise())
	c := m.mustClient(t, t.TempDir())
	packages := filepath.Join(disk, "packages")
	_, err := marketplace.Unpack(t.Context(), c, "hello", "1.0.0", packages)
	refused(t, err, apperr.Unavailable, "The disk of this server is full")
	same(t, "left behind", []string{}, left(t, packages))
	must(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT, "size=16m"))
	p, err := marketplace.Unpack(t.Context(), c, "hello", "1.0.0", packages)
	must(t, err)
	same(t, "unpacked", []string{p.Digest}, left(t, packages))
}

// TestDownloadOnAFullDisk is about the package's way to this machine.
func TestDownloadOnAFullDisk(t *testing.T) {
	t.Parallel()
	disk := mustSmallDisk(t)
	m := mustMarket(t, marketplace.Setup{})
	m.mustPublish(t, "1.0.0", noise())
	c := m.mustClient(t, filepath.Join(disk, "known"))
	packages := t.TempDir()
	_, err := marketplace.Unpack(t.Context(), c, "hello", "1.0.0", packages)
	refused(t, err, apperr.Unavailable, "The disk of this server is full")
	same(t, "left behind", []string{}, left(t, packages))
	must(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT, "size=16m"))
	_, err = marketplace.Unpack(t.Context(), c, "hello", "1.0.0", packages)
	must(t, err)
}
