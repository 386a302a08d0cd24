package wire

import (
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

func staffNoticeToPB(n sdk.StaffNotice) *pb.StaffNotice {
	return &pb.StaffNotice{
		Key:     n.Key,
		Kind:    n.Kind,
		Ability: n.Ability,
		Subject: n.Subject,
		Text:    n.Text,
		Path:    n.Path,
	}
}

func staffNoticeFromPB(n *pb.StaffNotice) sdk.StaffNotice {
	return sdk.StaffNotice{
		Key:     n.GetKey(),
		Kind:    n.GetKind(),
		Ability: n.GetAbility(),
		Subject: n.GetSubject(),
		Text:    n.GetText(),
		Path:    n.GetPath(),
	}
}
