// Command mattermost serves the page as a plugin of Mattermost.
package main

import (
	"net/http"

	"github.com/mattermost/mattermost/server/public/plugin"

	"github.com/billing-addons/customer-portal/ci-peers/page"
)

type bare struct {
	plugin.MattermostPlugin
	handler http.Handler
}

// ServeHTTP is Mattermost's hook for pages.
func (b *bare) ServeHTTP(_ *plugin.Context, w http.ResponseWriter, r *http.Request) {
	b.handler.ServeHTTP(w, r)
}

func main() { plugin.ClientMain(&bare{handler: page.Handler()}) }
