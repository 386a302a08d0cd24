package wire

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

// Client calls one running add-on. Dispense it by AddonPlugin; it lives as long
// as its go-plugin client. All methods may be called concurrently; every error
// is coded, and a call without a deadline gets one of 60 seconds.
type Client struct {
	broker    *plugin.GRPCBroker
	conn      *grpc.ClientConn
	lifecycle pb.LifecycleClient

	invite InviteClient
	signUp SignUpClient
	report ReportClient
	pages  PagesClient
	events EventsClient
}

func newClient(broker *plugin.GRPCBroker, conn *grpc.ClientConn) *Client {
	return &Client{
		broker:    broker,
		conn:      conn,
		lifecycle: pb.NewLifecycleClient(conn),
		invite:    InviteClient{pb.NewInviteClient(conn)},
		signUp:    SignUpClient{pb.NewSignUpClient(conn)},
		report:    ReportClient{pb.NewReportClient(conn)},
		pages:     PagesClient{pb.NewPagesClient(conn)},
		events:    EventsClient{pb.NewEventsClient(conn)},
	}
}

// Gone tells whether err means that the add-on's process did not answer at all,
// in contrast to an answer with the code Unavailable.
func Gone(err error) bool {
	s, ok := status.FromError(err)
	return ok && err != nil && s.Code() == codes.Unavailable && errorInfo(s) == nil
}

// Description is what a program says about itself.
type Description struct {
	ID, Version string
	// SDKVersion is the version of the SDK it was built with.
	SDKVersion string
	// Features are wire features by name.
	Features []string
}

// Describe asks the program what it is. It may be called before Start.
func (c *Client) Describe(ctx context.Context) (Description, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	r, err := c.lifecycle.Describe(ctx, &pb.DescribeRequest{})
	if err != nil {
		return Description{}, fromStatus(ctx, err)
	}
	return Description{
		ID:         r.GetId(),
		Version:    r.GetVersion(),
		SDKVersion: r.GetSdkVersion(),
		Features:   r.GetFeatures(),
	}, nil
}

// StartRequest is what an add-on gets at its start.
type StartRequest struct {
	// Services answer the add-on's host calls until the client is closed.
	Services Services
	// Log receives the text of internal errors of Services; nil drops it.
	Log *slog.Logger
	// Database is zero for an add-on without the permission.
	Database sdk.Database
	// Key is 32 bytes.
	Key      []byte
	Dev      bool
	LogLevel slog.Level
	// Called hears of each host call: the name of the gRPC method without the
	// package, that of the code, and the time it took. Nil hears nothing.
	Called func(method, code string, took time.Duration)
	// Tracing is that of the process, whose DialOptions it was dialled with; nil
	// where it is not traced.
	Tracing *Tracing
}

// Start starts the add-on, once per process, and returns its capabilities.
func (c *Client) Start(ctx context.Context, r StartRequest) (capabilities []string, err error) {
	log := r.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	id, err := c.serve(ctx, func(opts []grpc.ServerOption) *grpc.Server { return newServicesServer(r, log, opts) })
	if err != nil {
		return nil, err
	}
	res, err := c.lifecycle.Start(ctx, &pb.StartRequest{
		HostBrokerId: id,
		Database:     databaseToPB(r.Database),
		Key:          r.Key,
		Dev:          r.Dev,
		LogLevel:     r.LogLevel.String(),
		Tracing:      r.Tracing.toPB(),
	})
	if err != nil {
		return nil, fromStatus(ctx, err)
	}
	return res.GetCapabilities(), nil
}

// serve serves the host services until the client is closed. It waits until the
// add-on was told where: a broker that begins only after a short life of the process
// has ended writes to the standard error that it could not.
func (c *Client) serve(ctx context.Context, server func([]grpc.ServerOption) *grpc.Server) (id uint32, err error) {
	id = c.broker.NextId()
	told, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		c.broker.AcceptAndServe(id, func(opts []grpc.ServerOption) *grpc.Server {
			close(told)
			return server(opts)
		})
	}()
	select {
	case <-told:
		return id, nil
	case <-ended:
		return 0, apperr.Errorf(apperr.Unavailable, "The add-on has ended.")
	case <-ctx.Done():
		return 0, fromStatus(ctx, ctx.Err())
	}
}

// Enablement is one biller that has the add-on.
type Enablement struct {
	Call sdk.Call
	// Credential is the biller's installation credential.
	Credential string
	// Settings are what the biller has set. After a change, enable it again.
	Settings sdk.Settings
}

// Enable tells the add-on which billers have it: all of them after Start,
// single ones later. It returns, by biller, the reason of each hook that
// failed; enable those again.
func (c *Client) Enable(ctx context.Context, billers []Enablement) (failed map[string]string, err error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	ctx, end := context.WithCancel(ctx)
	defer end()
	stream, err := c.lifecycle.Enable(ctx)
	if err != nil {
		return nil, fromStatus(ctx, err)
	}
	for _, b := range billers {
		err := stream.Send(&pb.EnableRequest{Call: callToPB(b.Call, ""), Credential: b.Credential, Settings: settingsToPB(b.Settings)})
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fromStatus(ctx, err)
		}
	}
	res, err := stream.CloseAndRecv()
	if err != nil {
		return nil, fromStatus(ctx, err)
	}
	return res.GetFailed(), nil
}

// Disable suspends the biller of the call.
func (c *Client) Disable(ctx context.Context, call sdk.Call) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	_, err := c.lifecycle.Disable(ctx, &pb.BillerRequest{Call: callToPB(call, "")})
	return fromStatus(ctx, err)
}

// Purge deletes what the add-on keeps for the biller of the call.
func (c *Client) Purge(ctx context.Context, call sdk.Call) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	_, err := c.lifecycle.Purge(ctx, &pb.BillerRequest{Call: callToPB(call, "")})
	return fromStatus(ctx, err)
}

// Drain makes the add-on refuse new calls, end its background work and finish
// the calls in flight. Unavailable if ctx ends before that.
func (c *Client) Drain(ctx context.Context) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	_, err := c.lifecycle.Drain(ctx, &pb.DrainRequest{})
	return fromStatus(ctx, err)
}

// Stop makes the add-on release what it holds. Its process still runs; kill it
// afterwards.
func (c *Client) Stop(ctx context.Context) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	_, err := c.lifecycle.Stop(ctx, &pb.StopRequest{})
	return fromStatus(ctx, err)
}

// Health asks whether the process answers; give ctx about 2 seconds.
func (c *Client) Health(ctx context.Context) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	r, err := grpc_health_v1.NewHealthClient(c.conn).Check(ctx,
		&grpc_health_v1.HealthCheckRequest{Service: plugin.GRPCServiceName})
	if err != nil {
		return fromStatus(ctx, err)
	}
	if r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return apperr.Errorf(apperr.Unavailable, "The add-on is not serving.")
	}
	return nil
}

// Invite returns the add-on's Inviter for one call, with the call's token.
func (c *Client) Invite(call sdk.Call, token string) sdk.Inviter { return c.invite.For(call, token) }

// SignUp returns the add-on's SignUp for one call.
func (c *Client) SignUp(call sdk.Call, token string) sdk.SignUp { return c.signUp.For(call, token) }

// Report returns the add-on's Reporter for one call.
func (c *Client) Report(call sdk.Call, token string) sdk.Reporter { return c.report.For(call, token) }

// HandleEvent delivers one event; an error means: deliver it again.
func (c *Client) HandleEvent(ctx context.Context, call sdk.Call, token string, e sdk.Event) error {
	return c.events.For(call, token).Handle(ctx, e)
}

// ServePage lets the add-on answer one HTTP request; see PagesClient.Serve.
func (c *Client) ServePage(ctx context.Context, p PageRequest, onHead OnHead) error {
	return c.pages.Serve(ctx, p, onHead)
}

// limit gives a call without a deadline one.
func limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, defaultTimeout)
}
