package pack_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/pack"
)

func TestReadFiles(t *testing.T) {
	t.Parallel()
	archive := MustPack(t, folder())
	got, err := pack.ReadFiles(bytes.NewReader(archive), 8, "README.md", "CHANGELOG.md", "icon.svg", "bin/linux_amd64/addon")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"README.md": []byte("# Hello\n"), "icon.svg": []byte("<svg/>")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = pack.ReadFiles(bytes.NewReader(archive[:len(archive)-40]), 8, "README.md")
	refused(t, err, "The archive ends too early")
}
