// Package wire carries the types of package sdk over gRPC, in both directions:
// the add-on's parts for the host to call (Client, AddonServer), and the host's
// services for the add-on to call (Services).
//
// It is the only package that knows the generated types of sdk/pb. Hosts and
// sdk/serve import it; an add-on's own code never needs to.
package wire

import (
	"time"

	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

const (
	// Version is the version of the wire. It changes only when an old program
	// could no longer be understood; features are told by name in Describe.
	Version = 1
	// SDKVersion is the version of the SDK that an add-on was built with.
	SDKVersion = "1.0.0"
	// MaxMessage is the largest message either end takes, in bytes.
	MaxMessage = 8 << 20
	// ChunkSize bounds a message of a page's body, in bytes.
	ChunkSize = 16 << 10
	// TokenKey is the metadata key of host calls that carries the token.
	TokenKey = "addon-token"
	// LifelineEnv names the environment variable with the number of the file
	// descriptor whose end of file tells the add-on that its host is gone.
	LifelineEnv = "ADDON_LIFELINE_FD"

	// AddonPlugin is the name to dispense a *Client by. Each capability can be
	// dispensed by its own name too (sdk.CapabilityInvite to *InviteClient,
	// and so on).
	AddonPlugin = "addon"
)

// bodySize leaves room in a chunk for the fields around the body.
const bodySize = ChunkSize - 64

// defaultTimeout ends a unary call whose caller set no deadline.
const defaultTimeout = 60 * time.Second

// Handshake tells an add-on's program that a host started it. It keeps people
// from running the program by hand; it is no secret.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  Version,
		MagicCookieKey:   "BILLING_ADDON",
		MagicCookieValue: "f7c0f1f4-6f39-4b1c-9a77-2b9a4f0a5d61",
	}
}

// Plugins returns the plugin set of the wire. An add-on's program passes its
// server; a host passes nil and dispenses AddonPlugin or capabilities.
func Plugins(s *AddonServer) plugin.PluginSet {
	set := plugin.PluginSet{AddonPlugin: &addonPlugin{server: s}}
	for name, c := range capabilities() {
		set[name] = &capabilityPlugin{server: s, capability: c}
	}
	return set
}

// VersionedPlugins returns Plugins by wire version, as go-plugin's
// configurations of both sides want them.
func VersionedPlugins(s *AddonServer) map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{Version: Plugins(s)}
}

// DialOptions returns what either side connects with: message limits and a
// keepalive that notices a stopped process within 15 seconds.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(MaxMessage),
			grpc.MaxCallSendMsgSize(MaxMessage),
		),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time:                10 * time.Second,
			Timeout:             5 * time.Second,
			PermitWithoutStream: true,
		}),
		grpc.WithUserAgent("billing-addons-sdk/" + SDKVersion),
	}
}

func serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessage),
		grpc.MaxSendMsgSize(MaxMessage),
		grpc.MaxConcurrentStreams(1024),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime:             5 * time.Second,
			PermitWithoutStream: true,
		}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 20 * time.Second, Timeout: 5 * time.Second}),
	}
}
