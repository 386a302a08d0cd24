package csvfile_test

import (
	"os"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/csvfile"
)

// The header line that README documents is read whole.
func TestReadmeColumns(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "```\nName,")
	if !found {
		t.Fatal("README.md documents no header line that begins with Name")
	}
	header, _, _ := strings.Cut(rest, "\n")
	r, err := csvfile.NewReader(strings.NewReader("Name," + header + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Ignored) > 0 {
		t.Errorf("README.md documents columns that are not read: %v", r.Ignored)
	}
	for _, c := range []csvfile.Column{csvfile.ColumnNumber, csvfile.ColumnEmail, csvfile.ColumnBalance, csvfile.ColumnType} {
		if r.Header(c) == "" {
			t.Errorf("README.md does not document the column %s", c)
		}
	}
}
