package wire

import (
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

func invitationToPB(i sdk.Invitation) *pb.Invitation {
	return &pb.Invitation{
		Id:         i.ID,
		CustomerId: i.CustomerID,
		Email:      i.Email,
		Status:     i.Status,
		Generation: int32Of(i.Generation),
		ExpiresAt:  timeToPB(i.ExpiresAt),
	}
}

func invitationFromPB(i *pb.Invitation) sdk.Invitation {
	return sdk.Invitation{
		ID:         i.GetId(),
		CustomerID: i.GetCustomerId(),
		Email:      i.GetEmail(),
		Status:     i.GetStatus(),
		Generation: int(i.GetGeneration()),
		ExpiresAt:  timeFromPB(i.GetExpiresAt()),
	}
}

func invitationStatusToPB(s sdk.InvitationStatus) *pb.InvitationStatus {
	to := &pb.InvitationStatus{
		CustomerId: s.CustomerID,
		Status:     s.Status,
		History:    sliceOf(s.History, historyToPB),
	}
	if s.Invitation != (sdk.Invitation{}) {
		to.Invitation = invitationToPB(s.Invitation)
	}
	return to
}

func invitationStatusFromPB(s *pb.InvitationStatus) sdk.InvitationStatus {
	return sdk.InvitationStatus{
		CustomerID: s.GetCustomerId(),
		Status:     s.GetStatus(),
		Invitation: invitationFromPB(s.GetInvitation()),
		History:    sliceOf(s.GetHistory(), historyFromPB),
	}
}

func historyToPB(h sdk.HistoryEntry) *pb.HistoryEntry {
	return &pb.HistoryEntry{At: timeToPB(h.At), Kind: h.Kind, Detail: h.Detail, By: h.By}
}

func historyFromPB(h *pb.HistoryEntry) sdk.HistoryEntry {
	return sdk.HistoryEntry{At: timeFromPB(h.GetAt()), Kind: h.GetKind(), Detail: h.GetDetail(), By: h.GetBy()}
}
