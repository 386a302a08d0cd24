package pack_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/pack"
)

// TestInspectGoesOn: mistakes in manifest and layout do not hide the programs.
func TestInspectGoesOn(t *testing.T) {
	t.Parallel()
	files := entries(t)[1:]
	for n, f := range files {
		if f.name == "manifest.yaml" {
			files[n].data = strings.Replace(f.data, "version: 1.0.0", "version: one", 1)
		}
	}
	archive := MustTar(t, append([]entry{listOf(t, files)}, files...))
	dir := t.TempDir()
	p, err := pack.Inspect(bytes.NewReader(archive), dir, pack.Limits{})
	refused(t, err, `version: "one" is not a version`)
	if p == nil || p.Manifest.ID != "hello" || len(p.Platforms()) != 1 || p.Dir != dir || p.Digest == "" {
		t.Fatalf("got %+v", p)
	}
	for name, read := range map[string]func() (*pack.Package, error){
		"Read": func() (*pack.Package, error) { return pack.Read(bytes.NewReader(archive), pack.Limits{}) },
		"Unpack": func() (*pack.Package, error) {
			return pack.Unpack(bytes.NewReader(archive), t.TempDir(), pack.Limits{})
		},
		"Open": func() (*pack.Package, error) { return pack.Open(dir) },
	} {
		if p, err := read(); p != nil || err == nil {
			t.Errorf("%s takes it: %v, %v", name, p, err)
		}
	}
	if err := os.Remove(p.Path("README.md")); err != nil {
		t.Fatal(err)
	}
	p, err = pack.InspectDir(dir)
	if p == nil || err == nil || !strings.Contains(err.Error(), "version:") || !strings.Contains(err.Error(), "README.md is missing") {
		t.Errorf("got %v, %v", p, err)
	}
}
