package wire

import (
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

func registrationToPB(r sdk.Registration) *pb.Registration {
	return &pb.Registration{
		CustomerId:     r.CustomerID,
		Number:         r.Number,
		Name:           r.Name,
		DisplayName:    r.DisplayName,
		Email:          r.Email,
		Status:         r.Status,
		InvitedAt:      timeToPB(r.InvitedAt),
		RegisteredAt:   timeToPB(r.RegisteredAt),
		EmailConfirmed: r.EmailConfirmed,
		SignInEmails:   r.SignInEmails,
		Cursor:         r.Cursor,
	}
}

func registrationFromPB(r *pb.Registration) sdk.Registration {
	return sdk.Registration{
		CustomerID:     r.GetCustomerId(),
		Number:         r.GetNumber(),
		Name:           r.GetName(),
		DisplayName:    r.GetDisplayName(),
		Email:          r.GetEmail(),
		Status:         r.GetStatus(),
		InvitedAt:      timeFromPB(r.GetInvitedAt()),
		RegisteredAt:   timeFromPB(r.GetRegisteredAt()),
		EmailConfirmed: r.GetEmailConfirmed(),
		SignInEmails:   r.GetSignInEmails(),
		Cursor:         r.GetCursor(),
	}
}

func registrationQueryToPB(q sdk.RegistrationQuery, call *pb.Call) *pb.RegistrationsRequest {
	return &pb.RegistrationsRequest{
		Call:       call,
		Search:     q.Search,
		Status:     q.Status,
		Sort:       q.Sort,
		Descending: q.Descending,
		Limit:      int32Of(q.Limit),
		After:      q.After,
	}
}

func registrationQueryFromPB(q *pb.RegistrationsRequest) sdk.RegistrationQuery {
	return sdk.RegistrationQuery{
		Search:     q.GetSearch(),
		Status:     q.GetStatus(),
		Sort:       q.GetSort(),
		Descending: q.GetDescending(),
		Limit:      int(q.GetLimit()),
		After:      q.GetAfter(),
	}
}

func eventToPB(e sdk.Event, call *pb.Call) *pb.Event {
	return &pb.Event{
		Call:     call,
		Id:       e.ID,
		Kind:     e.Kind,
		At:       timeToPB(e.At),
		Customer: customerToPB(e.Customer),
	}
}

func eventFromPB(e *pb.Event) sdk.Event {
	return sdk.Event{
		ID:       e.GetId(),
		Kind:     e.GetKind(),
		At:       timeFromPB(e.GetAt()),
		Customer: customerFromPB(e.GetCustomer()),
	}
}

func databaseToPB(d sdk.Database) *pb.Database {
	if d == (sdk.Database{}) {
		return nil
	}
	return &pb.Database{Driver: d.Driver, Dsn: d.DSN, DirectDsn: d.DirectDSN}
}

func databaseFromPB(d *pb.Database) sdk.Database {
	return sdk.Database{Driver: d.GetDriver(), DSN: d.GetDsn(), DirectDSN: d.GetDirectDsn()}
}
