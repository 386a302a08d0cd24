package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	plugin "github.com/hashicorp/go-plugin"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pb"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

// AddonServer is the add-on's half of the wire: it starts one sdk.Addon and
// calls its parts. Make one per process.
type AddonServer struct {
	addon sdk.Addon
	opt   AddonOptions
	log   *slog.Logger

	billers *installations
	broker  *plugin.GRPCBroker
	buffers sync.Pool
	tracer  atomic.Pointer[sdktrace.TracerProvider] // nil where the host does not trace

	mu     sync.Mutex
	state  state
	parts  sdk.Parts
	conn   *grpc.ClientConn
	active sync.WaitGroup
	cancel context.CancelFunc
	ran    chan struct{}
}

// AddonOptions are the surroundings of an AddonServer. All may be zero.
type AddonOptions struct {
	// Log receives what the add-on and the server log.
	Log *slog.Logger
	// SetLevel is told the log level that the host wishes.
	SetLevel func(slog.Level)
	// Ended is told that Parts.Run returned although nobody drained: the
	// process must end. It is called at most once.
	Ended func(error)
}

type state int

const (
	stateNew state = iota
	stateStarting
	stateServing
	stateDraining
	stateStopped
)

// NewAddonServer returns a server for the add-on that has not started yet.
func NewAddonServer(addon sdk.Addon, opt AddonOptions) *AddonServer {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.SetLevel == nil {
		opt.SetLevel = func(slog.Level) {}
	}
	if opt.Ended == nil {
		opt.Ended = func(error) {}
	}
	s := &AddonServer{addon: addon, opt: opt, log: opt.Log, billers: newInstallations()}
	s.buffers.New = func() any { return new([bodySize]byte) }
	return s
}

// GRPC returns a gRPC server with the limits and the recovery of the wire; it
// is the GRPCServer function of go-plugin's ServeConfig.
func (s *AddonServer) GRPC(opts []grpc.ServerOption) *grpc.Server {
	opts = append(opts, serverOptions()...)
	return grpc.NewServer(append(opts,
		grpc.ChainUnaryInterceptor(traceUnaryServer(s.join), unaryServer(s.log, s.enter)),
		grpc.ChainStreamInterceptor(traceStreamServer(s.join), streamServer(s.log, s.enter)),
	)...)
}

// enter refuses calls before Start and after Drain, and counts the others.
func (s *AddonServer) enter(ctx context.Context, method string) (context.Context, func(), error) {
	switch method {
	case pb.Lifecycle_Describe_FullMethodName, pb.Lifecycle_Start_FullMethodName,
		pb.Lifecycle_Drain_FullMethodName, pb.Lifecycle_Stop_FullMethodName:
		return ctx, func() {}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state {
	case stateServing:
		s.active.Add(1)
		return withInstallations(ctx, s.billers), s.active.Done, nil
	case stateNew, stateStarting:
		return nil, nil, apperr.Errorf(apperr.Unavailable, "The add-on has not started yet.")
	default:
		return nil, nil, apperr.Errorf(apperr.Unavailable, "The add-on is stopping.")
	}
}

// start runs the add-on's Start and then its Run. The second start fails.
func (s *AddonServer) start(ctx context.Context, r *pb.StartRequest) ([]string, error) {
	if !s.move(stateNew, stateStarting) {
		return nil, apperr.Errorf(apperr.Conflict, "The add-on was started before.")
	}
	if s.addon.Start == nil {
		return nil, errors.New("the add-on has no Start function")
	}
	env, conn, err := s.env(r)
	if err != nil {
		return nil, err
	}
	parts, err := s.addon.Start(ctx, env)
	if err != nil {
		return nil, errors.Join(startError(err, env.Database), conn.Close())
	}
	s.mu.Lock()
	s.parts, s.conn, s.state = parts, conn, stateServing
	s.mu.Unlock()
	s.run(parts)
	return partNames(parts), nil
}

// startError keeps the text, without the database's address: the operator who
// reads it has to mend it.
func startError(err error, db sdk.Database) error {
	if _, coded := errors.AsType[*apperr.Error](err); coded {
		return err
	}
	text := err.Error()
	for _, dsn := range []string{db.DSN, db.DirectDSN} {
		if dsn == "" {
			continue
		}
		text = strings.ReplaceAll(text, dsn, "(database)")
		if u, perr := url.Parse(dsn); perr == nil && u.User != nil {
			if password, ok := u.User.Password(); ok && password != "" {
				text = strings.ReplaceAll(text, password, "(password)")
			}
		}
	}
	return apperr.Wrap(apperr.Unavailable, "The add-on could not start: "+text, err)
}

func (s *AddonServer) move(from, to state) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != from {
		return false
	}
	s.state = to
	return true
}

func (s *AddonServer) env(r *pb.StartRequest) (sdk.Env, *grpc.ClientConn, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(r.GetLogLevel())); err == nil {
		s.opt.SetLevel(level)
	}
	opts := append(DialOptions(), grpc.WithChainUnaryInterceptor(unaryClient, traceUnaryClient(func(trace.SpanContext) {}), withToken))
	conn, err := s.broker.DialWithOptions(r.GetHostBrokerId(), opts...)
	if err != nil {
		return sdk.Env{}, nil, fmt.Errorf("dial host services: %w", err)
	}
	s.tracer.Store(newTracer(r.GetTracing(), conn))
	return sdk.Env{
		Database: databaseFromPB(r.GetDatabase()),
		Key:      r.GetKey(),
		Host:     newHost(conn, s.billers),
		Log:      s.log,
		Dev:      r.GetDev(),
	}, conn, nil
}

// run starts the background work, if there is any.
func (s *AddonServer) run(parts sdk.Parts) {
	if parts.Run == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	if tracer := s.tracer.Load(); tracer != nil {
		ctx = telemetry.WithProvider(ctx, tracer, trace.SpanContext{})
	}
	ran := make(chan struct{})
	s.mu.Lock()
	s.cancel, s.ran = cancel, ran
	s.mu.Unlock()
	go func() {
		err := s.runRecovered(ctx, parts.Run)
		if ctx.Err() == nil {
			if err == nil {
				err = errors.New("the background work returned early")
			}
			s.opt.Ended(err)
		}
		cancel()
		close(ran)
	}()
}

func (s *AddonServer) runRecovered(ctx context.Context, run func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("background work panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = fmt.Errorf("background work panicked: %v", v)
		}
	}()
	return run(ctx)
}

// Drain refuses new calls, ends the background work and waits for it and for
// the calls in flight, or for ctx. It may be repeated.
func (s *AddonServer) Drain(ctx context.Context) error {
	s.mu.Lock()
	if s.state == stateServing {
		s.state = stateDraining
	}
	cancel, ran := s.cancel, s.ran
	s.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		s.active.Wait()
	}()
	if cancel != nil {
		cancel()
		if err := wait(ctx, ran); err != nil {
			return err
		}
	}
	return wait(ctx, idle)
}

func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return apperr.Wrap(apperr.Unavailable, "The add-on is still busy.", ctx.Err())
	}
}

// Stop releases what Start opened, by Parts.Close; once. Drain comes first.
func (s *AddonServer) Stop() (err error) {
	s.mu.Lock()
	before := s.state
	s.state = stateStopped
	parts, conn, cancel := s.parts, s.conn, s.cancel
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	if before == stateStopped {
		return nil
	}
	if parts.Close != nil {
		err = parts.Close()
	}
	if conn != nil {
		err = errors.Join(err, s.endTracing(), conn.Close())
	}
	return err
}

// partNames are the capabilities that the parts make up.
func partNames(p sdk.Parts) []string {
	var names []string
	for _, c := range []struct {
		name string
		has  bool
	}{
		{sdk.CapabilityInvite, p.Invite != nil},
		{sdk.CapabilitySignUp, p.SignUp != nil},
		{sdk.CapabilityReport, p.Report != nil},
		{sdk.CapabilityPages, p.Public != nil || p.Staff != nil || p.Slots != nil},
		{sdk.CapabilityEvents, p.Events != nil},
	} {
		if c.has {
			names = append(names, c.name)
		}
	}
	return names
}

// handler returns the part that answers the surface, or nil.
func (s *AddonServer) handler(surface pb.Surface) http.Handler {
	switch surface {
	case pb.Surface_SURFACE_PUBLIC:
		return s.parts.Public
	case pb.Surface_SURFACE_STAFF:
		return s.parts.Staff
	case pb.Surface_SURFACE_SLOT:
		return s.parts.Slots
	default:
		return nil
	}
}
