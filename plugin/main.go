// The Customer Portal: a billing platform's customers are invited, sign up and
// see their invoices. sdk/serve explains what happens around Start.
package main

import (
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/serve"
)

// version equals that of manifest.yaml.
const version = "0.1.0"

func main() { serve.Main(addon(systemClock)) }

func addon(now clock) sdk.Addon {
	return sdk.Addon{ID: "customer-portal", Version: version, Start: now.start}
}
