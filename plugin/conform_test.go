package main

import (
	"path/filepath"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
)

// TestConforms holds the portal against what every add-on owes its platform.
func TestConforms(t *testing.T) {
	t.Parallel()
	m := sdktest.Manifest(t, filepath.Join("..", manifest.FileName))
	t.Run("in process", func(t *testing.T) { sdktest.Conform(t, m, sdktest.InProcess(addon(systemClock))) })
	t.Run("as a process", func(t *testing.T) { sdktest.Conform(t, m, sdktest.Program(sdktest.Build(t, "."))) })
}
