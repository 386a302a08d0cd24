package wire

import (
	"context"

	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

// addonPlugin is the lifecycle on the add-on's side and the whole client on
// the host's.
type addonPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server *AddonServer
}

var _ plugin.GRPCPlugin = (*addonPlugin)(nil)

func (p *addonPlugin) GRPCServer(broker *plugin.GRPCBroker, g *grpc.Server) error {
	p.server.broker = broker
	pb.RegisterLifecycleServer(g, lifecycleServer{addon: p.server})
	return nil
}

func (p *addonPlugin) GRPCClient(_ context.Context, broker *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return newClient(broker, conn), nil
}

// capability is one service of an add-on.
type capability struct {
	register func(*AddonServer, *grpc.Server)
	client   func(*grpc.ClientConn) any
}

type capabilityPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	capability

	server *AddonServer
}

var _ plugin.GRPCPlugin = (*capabilityPlugin)(nil)

func (p *capabilityPlugin) GRPCServer(_ *plugin.GRPCBroker, g *grpc.Server) error {
	p.register(p.server, g)
	return nil
}

func (p *capabilityPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return p.client(conn), nil
}

func capabilities() map[string]capability {
	return map[string]capability{
		sdk.CapabilityInvite: {
			register: func(s *AddonServer, g *grpc.Server) { pb.RegisterInviteServer(g, inviteServer{addon: s}) },
			client:   func(c *grpc.ClientConn) any { return &InviteClient{pb.NewInviteClient(c)} },
		},
		sdk.CapabilitySignUp: {
			register: func(s *AddonServer, g *grpc.Server) { pb.RegisterSignUpServer(g, signUpServer{addon: s}) },
			client:   func(c *grpc.ClientConn) any { return &SignUpClient{pb.NewSignUpClient(c)} },
		},
		sdk.CapabilityReport: {
			register: func(s *AddonServer, g *grpc.Server) { pb.RegisterReportServer(g, reportServer{addon: s}) },
			client:   func(c *grpc.ClientConn) any { return &ReportClient{pb.NewReportClient(c)} },
		},
		sdk.CapabilityPages: {
			register: func(s *AddonServer, g *grpc.Server) { pb.RegisterPagesServer(g, pagesServer{addon: s}) },
			client:   func(c *grpc.ClientConn) any { return &PagesClient{pb.NewPagesClient(c)} },
		},
		sdk.CapabilityEvents: {
			register: func(s *AddonServer, g *grpc.Server) { pb.RegisterEventsServer(g, eventsServer{addon: s}) },
			client:   func(c *grpc.ClientConn) any { return &EventsClient{pb.NewEventsClient(c)} },
		},
	}
}
