package hosttest_test

import (
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host/hosttest"
)

// TestEndlessAnswer reads 192 MiB of a public page and opens a staff page without
// end; the host neither keeps them nor stops answering others.
func TestEndlessAnswer(t *testing.T) {
	h := hosttest.MustHost(t)
	h.MustInstall("hello")
	runtime.GC()
	before := heap()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL+"/hello/northwind/endless", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n, err := io.CopyN(io.Discard, res.Body, 96<<20); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if got := h.Get("/hello/northwind/"); got.Status != 200 {
			t.Errorf("meanwhile: %d", got.Status)
		}
	}
	if got := h.Get("/admin/addons/hello/endless"); got.Status != 502 || !strings.Contains(got.Body, "Hello does not answer") {
		t.Errorf("staff page: %d %.300s", got.Status, got.Body)
	}
	if err := errors.Join(res.Body.Close(), h.Ready(t.Context())); err != nil {
		t.Error(err)
	}
	if grown := heap() - before; grown > 64<<20 {
		t.Errorf("the host took %d MiB from the system", grown>>20)
	}
	if got := h.Get("/hello/northwind/"); got.Status != 200 {
		t.Errorf("afterwards: %d", got.Status)
	}
}

// heap is what the host holds of the system's memory.
func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapSys)
}
