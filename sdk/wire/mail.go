package wire

import (
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

func messageToPB(m sdk.Message) *pb.Message {
	return &pb.Message{
		Key:        m.Key,
		To:         m.To,
		CustomerId: m.CustomerID,
		Kind:       m.Kind,
		Subject:    m.Subject,
		Text:       m.Text,
		Html:       m.HTML,
		Permit:     m.Permit,
	}
}

func messageFromPB(m *pb.Message) sdk.Message {
	return sdk.Message{
		Key:        m.GetKey(),
		To:         m.GetTo(),
		CustomerID: m.GetCustomerId(),
		Kind:       m.GetKind(),
		Subject:    m.GetSubject(),
		Text:       m.GetText(),
		HTML:       m.GetHtml(),
		Permit:     m.GetPermit(),
	}
}

func mailResultToPB(r sdk.MailResult) *pb.MailResult {
	return &pb.MailResult{
		MessageId:  r.MessageID,
		AcceptedAt: timeToPB(r.AcceptedAt),
		Response:   r.Response,
		Repeated:   r.Repeated,
	}
}

func mailResultFromPB(r *pb.MailResult) sdk.MailResult {
	return sdk.MailResult{
		MessageID:  r.GetMessageId(),
		AcceptedAt: timeFromPB(r.GetAcceptedAt()),
		Response:   r.GetResponse(),
		Repeated:   r.GetRepeated(),
	}
}

func auditToPB(e sdk.AuditEvent) *pb.AuditEvent {
	return &pb.AuditEvent{
		Action:     e.Action,
		Object:     e.Object,
		CustomerId: e.CustomerID,
		PortalUser: e.PortalUser,
		Detail:     e.Detail,
		Key:        e.Key,
	}
}

func auditFromPB(e *pb.AuditEvent) sdk.AuditEvent {
	return sdk.AuditEvent{
		Action:     e.GetAction(),
		Object:     e.GetObject(),
		CustomerID: e.GetCustomerId(),
		PortalUser: e.GetPortalUser(),
		Detail:     e.GetDetail(),
		Key:        e.GetKey(),
	}
}
