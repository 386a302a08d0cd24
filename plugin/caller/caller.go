// Package caller turns the host's description of a call, or a job, into the
// portal's.
package caller

import (
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
)

// Of returns on whose behalf a call runs. name is the biller's; empty where
// nothing that people read depends on it.
func Of(call sdk.Call, name string) portal.Caller {
	c := portal.Caller{
		BillerID: call.BillerID, BillerName: name,
		Actor:     portal.Actor{ID: call.Viewer.StaffID, Name: call.Viewer.Name},
		Abilities: call.Viewer.Abilities,
		IP:        call.RemoteIP, Agent: call.UserAgent,
		Locale: call.Locale, RequestID: call.RequestID, PortalURL: call.PortalURL,
	}
	if at := call.Viewer.AuthenticatedAt; !at.IsZero() {
		c.FreshUntil = at.Add(sdk.FreshLife)
	}
	return c
}
