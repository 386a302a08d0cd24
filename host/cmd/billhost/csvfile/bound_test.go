package csvfile_test

import (
	"io"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/csvfile"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// endless is a cell that never ends, and counts what was read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	e.read += len(p)
	return len(p), nil
}

// TestARowWithoutEndIsRefused before it fills the memory, in the header and after it;
// a file of many rows is as long as it is.
func TestARowWithoutEndIsRefused(t *testing.T) {
	t.Parallel()
	const most = 2 << 20
	quote := &endless{}
	if _, err := csvfile.NewReader(io.MultiReader(strings.NewReader(`Name,"`), quote)); !apperr.Is(err, apperr.Invalid) || quote.read > most {
		t.Errorf("a header without end: %v after %d bytes", err, quote.read)
	}
	quote = &endless{}
	r, err := csvfile.NewReader(io.MultiReader(strings.NewReader("Name\nElena\n\""), quote))
	if err != nil {
		t.Fatal(err)
	}
	if _, refusal, err := r.Read(); err != nil || refusal != nil {
		t.Fatalf("the row before: %v, %v", refusal, err)
	}
	if _, _, err := r.Read(); !apperr.Is(err, apperr.Invalid) || quote.read > most {
		t.Errorf("a row without end: %v after %d bytes", err, quote.read)
	}
	const rows = 300_000
	if customers, refused := read(t, "Name\n"+strings.Repeat("Elena Rivera\n", rows)); len(customers) != rows || len(refused) != 0 {
		t.Errorf("%d rows, %d refused", len(customers), len(refused))
	}
}
