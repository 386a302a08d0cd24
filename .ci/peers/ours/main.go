// Command ours serves the page as one of our add-ons.
package main

import (
	"context"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/serve"

	"github.com/billing-addons/customer-portal/ci-peers/page"
)

func main() {
	serve.Main(sdk.Addon{ID: "bare", Version: "1.0.0", Start: func(context.Context, sdk.Env) (sdk.Parts, error) {
		return sdk.Parts{Public: page.Handler()}, nil
	}})
}
