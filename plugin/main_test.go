package main

import (
	"os"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/manifest"
)

func TestVersionIsTheManifests(t *testing.T) {
	b, err := os.ReadFile("../manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Parse("manifest.yaml", b)
	if err != nil {
		t.Fatal(err)
	}
	if a := addon(systemClock); a.ID != m.ID || a.Version != m.Version {
		t.Errorf("program is %s %s, manifest says %s %s", a.ID, a.Version, m.ID, m.Version)
	}
}
