package wire

import (
	"context"
	"log/slog"
	"net/http"

	"google.golang.org/grpc"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

// The conversions, for the test that every field is mapped.
var (
	CallToPB              = callToPB
	CallFromPB            = callFromPB
	PersonToPB            = personToPB
	PersonFromPB          = personFromPB
	CustomerToPB          = customerToPB
	CustomerFromPB        = customerFromPB
	CustomerPageToPB      = customerPageToPB
	CustomerPageFromPB    = customerPageFromPB
	CustomerQueryToPB     = customerQueryToPB
	CustomerQueryFromPB   = customerQueryFromPB
	InvoiceToPB           = invoiceToPB
	InvoiceFromPB         = invoiceFromPB
	InvoicePageToPB       = invoicePageToPB
	InvoicePageFromPB     = invoicePageFromPB
	InvoiceQueryToPB      = invoiceQueryToPB
	InvoiceQueryFromPB    = invoiceQueryFromPB
	BillerToPB            = billerToPB
	BillerFromPB          = billerFromPB
	MessageToPB           = messageToPB
	MessageFromPB         = messageFromPB
	MailResultToPB        = mailResultToPB
	MailResultFromPB      = mailResultFromPB
	StaffNoticeToPB       = staffNoticeToPB
	StaffNoticeFromPB     = staffNoticeFromPB
	AuditToPB             = auditToPB
	SettingsToPB          = settingsToPB
	SettingsFromPB        = settingsFromPB
	AuditFromPB           = auditFromPB
	InvitationToPB        = invitationToPB
	InvitationFromPB      = invitationFromPB
	InvitationStatusToPB  = invitationStatusToPB
	InvitationStatusFrom  = invitationStatusFromPB
	SignUpStateToPB       = signUpStateToPB
	SignUpStateFromPB     = signUpStateFromPB
	ProfileToPB           = profileToPB
	ProfileFromPB         = profileFromPB
	SignedInToPB          = signedInToPB
	SignedInFromPB        = signedInFromPB
	RegistrationToPB      = registrationToPB
	RegistrationFromPB    = registrationFromPB
	RegistrationQueryFrom = registrationQueryFromPB
	EventFromPB           = eventFromPB
	DatabaseToPB          = databaseToPB
	DatabaseFromPB        = databaseFromPB
	FromStatus            = fromStatus
	EscapeQuery           = escapeQuery
	WithBiller            = withBiller
	BillerFrom            = billerFrom
)

func RegistrationQueryToPB(q sdk.RegistrationQuery) *pb.RegistrationsRequest {
	return registrationQueryToPB(q, callToPB(sdk.Call{}, ""))
}

func EventToPB(e sdk.Event) *pb.Event { return eventToPB(e, callToPB(sdk.Call{}, "")) }

func ToStatus(ctx context.Context, log *slog.Logger, err error) error {
	return toStatus(ctx, log, "/addon.v1.Test/Test", err)
}

func CopyAnswer(ctx context.Context, stream grpc.BidiStreamingClient[pb.HTTPIn, pb.HTTPOut], onHead OnHead) error {
	return (&answer{stream: stream, onHead: onHead}).copy(ctx)
}

func PageRequestOf(ctx context.Context, in *pb.HTTPIn) (*http.Request, error) {
	ctx = withCall(ctx, in.GetHead().GetCall())
	return request(ctx, in.GetHead(), newBodyReader(ctx, nil, in))
}
