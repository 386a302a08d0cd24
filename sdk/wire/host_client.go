package wire

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

// newHost returns the add-on's client of the host's services.
func newHost(conn *grpc.ClientConn, billers *installations) sdk.Host {
	return sdk.Host{
		Customers: customersClient{pb.NewCustomersClient(conn)},
		Invoices:  invoicesClient{pb.NewInvoicesClient(conn)},
		Mail:      mailClient{pb.NewMailClient(conn)},
		Billers:   billersClient{pb.NewBillersClient(conn), billers},
		Staff:     staffClient{pb.NewStaffClient(conn)},
		Audit:     auditClient{pb.NewAuditClient(conn)},
	}
}

// withToken puts the credential of the context on a host call.
func withToken(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	token := sdk.CredentialFrom(ctx)
	if method == pb.Telemetry_Spans_FullMethodName { // the connection says who speaks
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	if token == "" {
		return apperr.Errorf(apperr.Unauthenticated, "The context carries no token: use a request's context or Host.Billers.As.")
	}
	return invoke(metadata.AppendToOutgoingContext(ctx, TokenKey, token), method, req, reply, cc, opts...)
}

type customersClient struct{ rpc pb.CustomersClient }

func (c customersClient) Customer(ctx context.Context, id string) (sdk.Customer, error) {
	r, err := c.rpc.Get(ctx, &pb.GetCustomerRequest{Id: id})
	if err != nil {
		return sdk.Customer{}, err
	}
	return customerFromPB(r), nil
}

func (c customersClient) CustomersByEmail(ctx context.Context, email string) ([]sdk.Customer, error) {
	r, err := c.rpc.ByEmail(ctx, &pb.CustomersByEmailRequest{Email: email})
	if err != nil {
		return nil, err
	}
	return customerPageFromPB(r).Customers, nil
}

func (c customersClient) ListCustomers(ctx context.Context, q sdk.CustomerQuery) (sdk.CustomerPage, error) {
	r, err := c.rpc.List(ctx, customerQueryToPB(q))
	if err != nil {
		return sdk.CustomerPage{}, err
	}
	return customerPageFromPB(r), nil
}

type invoicesClient struct{ rpc pb.InvoicesClient }

func (c invoicesClient) Invoice(ctx context.Context, id string) (sdk.Invoice, error) {
	r, err := c.rpc.Get(ctx, &pb.GetInvoiceRequest{Id: id})
	if err != nil {
		return sdk.Invoice{}, err
	}
	return invoiceFromPB(r), nil
}

func (c invoicesClient) ListInvoices(ctx context.Context, q sdk.InvoiceQuery) (sdk.InvoicePage, error) {
	r, err := c.rpc.List(ctx, invoiceQueryToPB(q))
	if err != nil {
		return sdk.InvoicePage{}, err
	}
	return invoicePageFromPB(r), nil
}

type mailClient struct{ rpc pb.MailClient }

func (c mailClient) Send(ctx context.Context, m sdk.Message) (sdk.MailResult, error) {
	r, err := c.rpc.Send(ctx, messageToPB(m))
	if err != nil {
		return sdk.MailResult{}, err
	}
	return mailResultFromPB(r), nil
}

func (c mailClient) Permit(ctx context.Context, customerID, to string) (string, error) {
	r, err := c.rpc.Permit(ctx, &pb.PermitMailRequest{CustomerId: customerID, To: to})
	if err != nil {
		return "", err
	}
	return r.GetPermit(), nil
}

type billersClient struct {
	rpc     pb.BillersClient
	billers *installations
}

func (c billersClient) Biller(ctx context.Context) (sdk.Biller, error) {
	if b, ok := billerFrom(ctx); ok {
		return b, nil
	}
	r, err := c.rpc.Get(ctx, &pb.GetBillerRequest{})
	if err != nil {
		return sdk.Biller{}, err
	}
	return billerFromPB(r), nil
}

func (c billersClient) As(ctx context.Context, billerID string) (context.Context, error) {
	return c.billers.as(ctx, billerID)
}

func (c billersClient) Enabled() []string { return c.billers.enabled() }

type staffClient struct{ rpc pb.StaffClient }

func (c staffClient) Notify(ctx context.Context, n sdk.StaffNotice) (int, error) {
	r, err := c.rpc.Notify(ctx, staffNoticeToPB(n))
	if err != nil {
		return 0, err
	}
	return int(r.GetTold()), nil
}

type auditClient struct{ rpc pb.AuditClient }

func (c auditClient) Write(ctx context.Context, e sdk.AuditEvent) error {
	_, err := c.rpc.Write(ctx, auditToPB(e))
	return err
}
