package wire

import (
	"context"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

func callToPB(c sdk.Call, token string) *pb.Call {
	return &pb.Call{
		BillerId: c.BillerID,
		Viewer: &pb.Viewer{
			StaffId:   c.Viewer.StaffID,
			Name:      text(c.Viewer.Name),
			Abilities: c.Viewer.Abilities,

			AuthenticatedAt: timeToPB(c.Viewer.AuthenticatedAt),
		},
		Locale:       c.Locale,
		BaseUrl:      c.BaseURL,
		BasePath:     c.BasePath,
		PortalUrl:    c.PortalURL,
		StaticBase:   c.StaticBase,
		CspNonce:     c.CSPNonce,
		RequestId:    c.RequestID,
		RemoteIp:     ipToPB(c.RemoteIP),
		UserAgent:    text(c.UserAgent),
		RequestToken: token,
	}
}

func callFromPB(c *pb.Call) (call sdk.Call, token string) {
	return sdk.Call{
		BillerID: c.GetBillerId(),
		Viewer: sdk.Viewer{
			StaffID:   c.GetViewer().GetStaffId(),
			Name:      c.GetViewer().GetName(),
			Abilities: c.GetViewer().GetAbilities(),

			AuthenticatedAt: timeFromPB(c.GetViewer().GetAuthenticatedAt()),
		},
		Locale:     c.GetLocale(),
		BaseURL:    c.GetBaseUrl(),
		BasePath:   c.GetBasePath(),
		PortalURL:  c.GetPortalUrl(),
		StaticBase: c.GetStaticBase(),
		CSPNonce:   c.GetCspNonce(),
		RequestID:  c.GetRequestId(),
		RemoteIP:   ipFromPB(c.GetRemoteIp()),
		UserAgent:  c.GetUserAgent(),
	}, c.GetRequestToken()
}

// withCall returns the context that an add-on's code runs with.
func withCall(ctx context.Context, c *pb.Call) context.Context {
	call, token := callFromPB(c)
	return sdk.WithCredential(withSettings(sdk.WithCall(ctx, call), call.BillerID), token)
}

func personToPB(p sdk.Person) *pb.Person {
	return &pb.Person{Ip: ipToPB(p.IP), Agent: text(p.Agent), Locale: p.Locale}
}

func personFromPB(p *pb.Person) sdk.Person {
	return sdk.Person{IP: ipFromPB(p.GetIp()), Agent: p.GetAgent(), Locale: p.GetLocale()}
}
