package wire

import (
	"context"
	"log/slog"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

// Services resolves the tokens that an add-on presents.
type Services interface {
	// For returns the services with the rights of the token: bound to its
	// biller, viewer and permissions. Unauthenticated for a token that is
	// unknown or has expired. Billers.As and Billers.Enabled are not called.
	// It is called for each host call, concurrently.
	For(ctx context.Context, token string) (sdk.Host, error)
}

// CallFinder is what Services may implement too, for the host's log.
type CallFinder interface {
	// CallOf returns the call that the token was issued for, as far as it is
	// known; zero for a token that is worth nothing.
	CallOf(token string) sdk.Call
}

// servicesServer is the host's half of the host services.
type servicesServer struct {
	services Services
}

type hostKey struct{}

// newServicesServer returns the server of the one brokered connection.
func newServicesServer(r StartRequest, log *slog.Logger, opts []grpc.ServerOption) *grpc.Server {
	s := &servicesServer{services: r.Services}
	opts = append(opts, serverOptions()...)
	opts = append(opts,
		grpc.ChainUnaryInterceptor(observeServer(r.Called), traceUnaryServer(r.Tracing.join), unaryServer(log, s.authenticate)),
		grpc.ChainStreamInterceptor(traceStreamServer(r.Tracing.join), streamServer(log, s.authenticate)),
	)
	server := grpc.NewServer(opts...)
	pb.RegisterCustomersServer(server, customersServer{})
	pb.RegisterInvoicesServer(server, invoicesServer{})
	pb.RegisterMailServer(server, mailServer{})
	pb.RegisterBillersServer(server, billersServer{})
	pb.RegisterStaffServer(server, staffServer{})
	pb.RegisterAuditServer(server, auditServer{})
	pb.RegisterTelemetryServer(server, telemetryServer{tracing: r.Tracing})
	return server
}

func (s *servicesServer) authenticate(ctx context.Context, method string) (context.Context, func(), error) {
	if method == pb.Telemetry_Spans_FullMethodName {
		return ctx, func() {}, nil
	}
	tokens := metadata.ValueFromIncomingContext(ctx, TokenKey)
	if len(tokens) != 1 || tokens[0] == "" {
		return nil, nil, apperr.Errorf(apperr.Unauthenticated, "The call carries no token.")
	}
	host, err := s.services.For(ctx, tokens[0])
	if err != nil {
		return nil, nil, err
	}
	if finder, ok := s.services.(CallFinder); ok {
		ctx = sdk.WithCall(ctx, finder.CallOf(tokens[0]))
	}
	return context.WithValue(jobOf(ctx), hostKey{}, host), func() {}, nil
}

func hostFrom(ctx context.Context) sdk.Host {
	h, _ := ctx.Value(hostKey{}).(sdk.Host)
	return h
}

func notOffered() error {
	return apperr.Errorf(apperr.Unavailable, "The platform does not offer this service.")
}

type customersServer struct {
	pb.UnimplementedCustomersServer
}

func (customersServer) Get(ctx context.Context, r *pb.GetCustomerRequest) (*pb.Customer, error) {
	h := hostFrom(ctx)
	if h.Customers == nil {
		return nil, notOffered()
	}
	c, err := h.Customers.Customer(ctx, r.GetId())
	return customerToPB(c), err
}

func (customersServer) ByEmail(ctx context.Context, r *pb.CustomersByEmailRequest) (*pb.CustomerPage, error) {
	h := hostFrom(ctx)
	if h.Customers == nil {
		return nil, notOffered()
	}
	cs, err := h.Customers.CustomersByEmail(ctx, r.GetEmail())
	return customerPageToPB(sdk.CustomerPage{Customers: cs}), err
}

func (customersServer) List(ctx context.Context, r *pb.ListCustomersRequest) (*pb.CustomerPage, error) {
	h := hostFrom(ctx)
	if h.Customers == nil {
		return nil, notOffered()
	}
	p, err := h.Customers.ListCustomers(ctx, customerQueryFromPB(r))
	return customerPageToPB(p), err
}

type invoicesServer struct{ pb.UnimplementedInvoicesServer }

func (invoicesServer) Get(ctx context.Context, r *pb.GetInvoiceRequest) (*pb.Invoice, error) {
	h := hostFrom(ctx)
	if h.Invoices == nil {
		return nil, notOffered()
	}
	i, err := h.Invoices.Invoice(ctx, r.GetId())
	return invoiceToPB(i), err
}

func (invoicesServer) List(ctx context.Context, r *pb.ListInvoicesRequest) (*pb.InvoicePage, error) {
	h := hostFrom(ctx)
	if h.Invoices == nil {
		return nil, notOffered()
	}
	p, err := h.Invoices.ListInvoices(ctx, invoiceQueryFromPB(r))
	return invoicePageToPB(p), err
}

type mailServer struct{ pb.UnimplementedMailServer }

func (mailServer) Send(ctx context.Context, m *pb.Message) (*pb.MailResult, error) {
	h := hostFrom(ctx)
	if h.Mail == nil {
		return nil, notOffered()
	}
	r, err := h.Mail.Send(ctx, messageFromPB(m))
	return mailResultToPB(r), err
}

func (mailServer) Permit(ctx context.Context, r *pb.PermitMailRequest) (*pb.PermitMailResult, error) {
	h := hostFrom(ctx)
	if h.Mail == nil {
		return nil, notOffered()
	}
	permit, err := h.Mail.Permit(ctx, r.GetCustomerId(), r.GetTo())
	return &pb.PermitMailResult{Permit: permit}, err
}

type billersServer struct{ pb.UnimplementedBillersServer }

func (billersServer) Get(ctx context.Context, _ *pb.GetBillerRequest) (*pb.Biller, error) {
	h := hostFrom(ctx)
	if h.Billers == nil {
		return nil, notOffered()
	}
	b, err := h.Billers.Biller(ctx)
	return billerToPB(b), err
}

type staffServer struct{ pb.UnimplementedStaffServer }

func (staffServer) Notify(ctx context.Context, n *pb.StaffNotice) (*pb.StaffNoticeResult, error) {
	h := hostFrom(ctx)
	if h.Staff == nil {
		return nil, notOffered()
	}
	told, err := h.Staff.Notify(ctx, staffNoticeFromPB(n))
	return &pb.StaffNoticeResult{Told: int32(told)}, err
}

type auditServer struct{ pb.UnimplementedAuditServer }

func (auditServer) Write(ctx context.Context, e *pb.AuditEvent) (*pb.AuditResponse, error) {
	h := hostFrom(ctx)
	if h.Audit == nil {
		return nil, notOffered()
	}
	return &pb.AuditResponse{}, h.Audit.Write(ctx, auditFromPB(e))
}
