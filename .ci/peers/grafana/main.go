// Command grafana serves the page as an app plugin of Grafana.
package main

import (
	"os"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/resource/httpadapter"

	"github.com/billing-addons/customer-portal/ci-peers/page"
)

func main() {
	if err := backend.Manage("bare-app", backend.ServeOpts{CallResourceHandler: httpadapter.New(page.Handler())}); err != nil {
		os.Exit(1)
	}
}
