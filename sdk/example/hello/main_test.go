package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

func TestGreetsInTheBillersName(t *testing.T) {
	t.Parallel()
	host := sdktest.NewHost()
	host.AddBiller(sdk.Biller{ID: "b<2", Name: "Smith & Sons <Ltd>"})
	i := sdktest.Start(t, addon(), sdktest.WithHost(host))
	i.Enable(sdktest.Northwind, "b<2")
	for biller, want := range map[string]string{
		sdktest.Northwind: "<h1>Hello, Northwind Utilities</h1>",
		"b<2":             "<h1>Hello, Smith &amp; Sons &lt;Ltd&gt;</h1>",
	} {
		res := i.Do(wire.Public, i.PublicCall(biller), httptest.NewRequest(http.MethodGet, "/", nil))
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s %v", biller, res.StatusCode, body, err)
		}
	}
}

func TestWithoutPermission(t *testing.T) {
	t.Parallel()
	host := sdktest.NewHost()
	host.Permissions = []string{}
	i := sdktest.Start(t, addon(), sdktest.WithHost(host))
	res := i.Do(wire.Public, i.PublicCall(sdktest.Northwind), httptest.NewRequest(http.MethodGet, "/", nil))
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestConforms(t *testing.T) {
	t.Parallel()
	m := sdktest.Manifest(t, manifest.FileName)
	t.Run("in process", func(t *testing.T) { sdktest.Conform(t, m, sdktest.InProcess(addon())) })
	t.Run("as a process", func(t *testing.T) { sdktest.Conform(t, m, sdktest.Program(sdktest.Build(t, "."))) })
}

func TestFortyLinesSuffice(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), "\n"); n > 40 {
		t.Errorf("main.go has %d lines", n)
	}
}
