package wire

import (
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

func signUpStateToPB(s sdk.SignUpState) *pb.SignUpState {
	return &pb.SignUpState{
		Handle:       s.Handle,
		Step:         s.Step,
		CustomerName: s.CustomerName,
		MaskedEmail:  s.MaskedEmail,
		ExpiresAt:    timeToPB(s.ExpiresAt),
		Agreement:    agreementToPB(s.Agreement),
	}
}

func signUpStateFromPB(s *pb.SignUpState) sdk.SignUpState {
	return sdk.SignUpState{
		Handle:       s.GetHandle(),
		Step:         s.GetStep(),
		CustomerName: s.GetCustomerName(),
		MaskedEmail:  s.GetMaskedEmail(),
		ExpiresAt:    timeFromPB(s.GetExpiresAt()),
		Agreement:    agreementFromPB(s.GetAgreement()),
	}
}

func agreementToPB(a sdk.Agreement) *pb.Agreement {
	if a == (sdk.Agreement{}) {
		return nil
	}
	return &pb.Agreement{
		Version:     a.Version,
		EffectiveOn: timeToPB(a.EffectiveOn),
		Text:        a.Text,
		TextHash:    a.TextHash,
	}
}

func agreementFromPB(a *pb.Agreement) sdk.Agreement {
	return sdk.Agreement{
		Version:     a.GetVersion(),
		EffectiveOn: timeFromPB(a.GetEffectiveOn()),
		Text:        a.GetText(),
		TextHash:    a.GetTextHash(),
	}
}

func profileToPB(p sdk.Profile) *pb.Profile {
	return &pb.Profile{CustomerId: p.CustomerID, Name: p.Name, Number: p.Number, Address: p.Address}
}

func profileFromPB(p *pb.Profile) sdk.Profile {
	return sdk.Profile{
		CustomerID: p.GetCustomerId(),
		Name:       p.GetName(),
		Number:     p.GetNumber(),
		Address:    p.GetAddress(),
	}
}

func signedInToPB(s sdk.SignedIn) *pb.SignedIn {
	return &pb.SignedIn{PortalUserId: s.PortalUserID, Session: s.Session, ExpiresAt: timeToPB(s.ExpiresAt)}
}

func signedInFromPB(s *pb.SignedIn) sdk.SignedIn {
	return sdk.SignedIn{
		PortalUserID: s.GetPortalUserId(),
		Session:      s.GetSession(),
		ExpiresAt:    timeFromPB(s.GetExpiresAt()),
	}
}
