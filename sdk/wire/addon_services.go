package wire

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

// hooksAtOnce is how many billers are enabled in parallel.
const hooksAtOnce = 8

func unimplemented() error { return status.Error(codes.Unimplemented, "no such capability") }

type lifecycleServer struct {
	pb.UnimplementedLifecycleServer
	addon *AddonServer
}

func (l lifecycleServer) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return &pb.DescribeResponse{
		Id:         l.addon.addon.ID,
		Version:    l.addon.addon.Version,
		SdkVersion: SDKVersion,
		Features:   features(),
	}, nil
}

// features are the wire's additions since version 1, by name.
func features() []string { return []string{"pages.flush"} }

func (l lifecycleServer) Start(ctx context.Context, r *pb.StartRequest) (*pb.StartResponse, error) {
	names, err := l.addon.start(ctx, r)
	return &pb.StartResponse{Capabilities: names}, err
}

func (l lifecycleServer) Enable(stream grpc.ClientStreamingServer[pb.EnableRequest, pb.EnableResponse]) error {
	var (
		mu     sync.Mutex
		wg     sync.WaitGroup
		failed = map[string]string{}
		slots  = make(chan struct{}, hooksAtOnce)
	)
	defer wg.Wait()
	for {
		e, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			wg.Wait()
			return stream.SendAndClose(&pb.EnableResponse{Failed: failed})
		}
		if err != nil {
			return err
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := l.enable(stream.Context(), e); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[e.GetCall().GetBillerId()] = clip(apperr.MessageOf(err))
			}
		})
	}
}

func (l lifecycleServer) enable(ctx context.Context, e *pb.EnableRequest) (err error) {
	biller := e.GetCall().GetBillerId()
	defer func() {
		if v := recover(); v != nil {
			err = panicked(ctx, l.addon.log, pb.Lifecycle_Enable_FullMethodName, v)
		} else if apperr.Is(err, apperr.Internal) {
			l.addon.log.ErrorContext(ctx, "enable failed", "biller_id", biller, "error", err.Error())
		}
	}()
	if biller == "" {
		return apperr.Errorf(apperr.Invalid, "The call names no biller.")
	}
	defer l.addon.billers.lock(biller)()
	entry := l.addon.billers.put(e)
	hooks := l.addon.parts.Billers
	if hooks == nil {
		return nil
	}
	return hooks.Enable(installationContext(ctx, entry))
}

func (l lifecycleServer) Disable(ctx context.Context, r *pb.BillerRequest) (*pb.BillerResponse, error) {
	return l.leave(ctx, r, func(h sdk.BillerHandler) error { return h.Disable(ctx) })
}

func (l lifecycleServer) Purge(ctx context.Context, r *pb.BillerRequest) (*pb.BillerResponse, error) {
	return l.leave(ctx, r, func(h sdk.BillerHandler) error { return h.Purge(ctx) })
}

// leave forgets the biller before the hook runs, so that no job starts anew.
func (l lifecycleServer) leave(ctx context.Context, r *pb.BillerRequest, hook func(sdk.BillerHandler) error) (*pb.BillerResponse, error) {
	biller := sdk.CallFrom(ctx).BillerID
	if biller == "" {
		return nil, apperr.Errorf(apperr.Invalid, "The call names no biller.")
	}
	defer l.addon.billers.lock(biller)()
	l.addon.billers.remove(biller)
	if l.addon.parts.Billers == nil {
		return &pb.BillerResponse{}, nil
	}
	return &pb.BillerResponse{}, hook(l.addon.parts.Billers)
}

func (l lifecycleServer) Drain(ctx context.Context, _ *pb.DrainRequest) (*pb.DrainResponse, error) {
	return &pb.DrainResponse{}, l.addon.Drain(ctx)
}

func (l lifecycleServer) Stop(context.Context, *pb.StopRequest) (*pb.StopResponse, error) {
	return &pb.StopResponse{}, l.addon.Stop()
}

type eventsServer struct {
	pb.UnimplementedEventsServer
	addon *AddonServer
}

func (e eventsServer) Handle(ctx context.Context, r *pb.Event) (*pb.EventResponse, error) {
	if e.addon.parts.Events == nil {
		return nil, unimplemented()
	}
	return &pb.EventResponse{}, e.addon.parts.Events.Handle(ctx, eventFromPB(r))
}

type reportServer struct {
	pb.UnimplementedReportServer
	addon *AddonServer
}

func (r reportServer) Registrations(q *pb.RegistrationsRequest, stream grpc.ServerStreamingServer[pb.Registration]) error {
	if r.addon.parts.Report == nil {
		return unimplemented()
	}
	ctx := r.addon.withCall(stream.Context(), q.GetCall())
	return r.addon.parts.Report.Registrations(ctx, registrationQueryFromPB(q), func(row sdk.Registration) error {
		return stream.Send(registrationToPB(row))
	})
}

type inviteServer struct {
	pb.UnimplementedInviteServer
	addon *AddonServer
}

func (i inviteServer) Send(ctx context.Context, r *pb.InviteRequest) (*pb.Invitation, error) {
	if i.addon.parts.Invite == nil {
		return nil, unimplemented()
	}
	inv, err := i.addon.parts.Invite.Send(ctx, r.GetCustomerId())
	return invitationToPB(inv), err
}

func (i inviteServer) Resend(ctx context.Context, r *pb.InviteRequest) (*pb.Invitation, error) {
	if i.addon.parts.Invite == nil {
		return nil, unimplemented()
	}
	inv, err := i.addon.parts.Invite.Resend(ctx, r.GetCustomerId())
	return invitationToPB(inv), err
}

func (i inviteServer) Status(ctx context.Context, r *pb.InviteRequest) (*pb.InvitationStatus, error) {
	if i.addon.parts.Invite == nil {
		return nil, unimplemented()
	}
	s, err := i.addon.parts.Invite.Status(ctx, r.GetCustomerId())
	return invitationStatusToPB(s), err
}

func (i inviteServer) Link(ctx context.Context, r *pb.InviteRequest) (*pb.InviteLink, error) {
	if i.addon.parts.Invite == nil {
		return nil, unimplemented()
	}
	url, err := i.addon.parts.Invite.Link(ctx, r.GetCustomerId())
	return &pb.InviteLink{Url: url}, err
}

type signUpServer struct {
	pb.UnimplementedSignUpServer
	addon *AddonServer
}

func (s signUpServer) Begin(ctx context.Context, r *pb.BeginRequest) (*pb.SignUpState, error) {
	if s.addon.parts.SignUp == nil {
		return nil, unimplemented()
	}
	st, err := s.addon.parts.SignUp.Begin(ctx, r.GetToken(), personFromPB(r.GetPerson()))
	return signUpStateToPB(st), err
}

func (s signUpServer) Register(ctx context.Context, r *pb.RegisterRequest) (*pb.SignUpState, error) {
	if s.addon.parts.SignUp == nil {
		return nil, unimplemented()
	}
	st, err := s.addon.parts.SignUp.Register(ctx, r.GetHandle(), r.GetEmail(), r.GetPassword(), personFromPB(r.GetPerson()))
	return signUpStateToPB(st), err
}

func (s signUpServer) Profiles(ctx context.Context, r *pb.HandleRequest) (*pb.ProfileList, error) {
	if s.addon.parts.SignUp == nil {
		return nil, unimplemented()
	}
	ps, err := s.addon.parts.SignUp.Profiles(ctx, r.GetHandle(), personFromPB(r.GetPerson()))
	return &pb.ProfileList{Profiles: sliceOf(ps, profileToPB)}, err
}

func (s signUpServer) Choose(ctx context.Context, r *pb.ChooseRequest) (*pb.SignUpState, error) {
	if s.addon.parts.SignUp == nil {
		return nil, unimplemented()
	}
	st, err := s.addon.parts.SignUp.Choose(ctx, r.GetHandle(), r.GetCustomerIds(), personFromPB(r.GetPerson()))
	return signUpStateToPB(st), err
}

func (s signUpServer) Resend(ctx context.Context, r *pb.HandleRequest) (*pb.ResendResponse, error) {
	if s.addon.parts.SignUp == nil {
		return nil, unimplemented()
	}
	return &pb.ResendResponse{}, s.addon.parts.SignUp.Resend(ctx, r.GetHandle(), personFromPB(r.GetPerson()))
}

func (s signUpServer) Confirm(ctx context.Context, r *pb.ConfirmRequest) (*pb.SignUpState, error) {
	if s.addon.parts.SignUp == nil {
		return nil, unimplemented()
	}
	st, err := s.addon.parts.SignUp.Confirm(ctx, r.GetHandle(), r.GetCode(), personFromPB(r.GetPerson()))
	return signUpStateToPB(st), err
}

func (s signUpServer) Accept(ctx context.Context, r *pb.AcceptRequest) (*pb.SignedIn, error) {
	if s.addon.parts.SignUp == nil {
		return nil, unimplemented()
	}
	in, err := s.addon.parts.SignUp.Accept(ctx, r.GetHandle(), r.GetVersion(), personFromPB(r.GetPerson()))
	return signedInToPB(in), err
}
