package main

import (
	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/web"
)

// platform is what the host asks of billhost: the books, and the staff pages.
type platform struct {
	*store.Store
	*web.Server
}

var _ host.Platform = platform{}
