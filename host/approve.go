package host

import (
	"context"
	"fmt"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Policy says which of the offered add-ons billers may install.
type Policy string

// Policies. PolicyApproved offers what an operator approved; everything else
// waits. What is installed already stays, whatever the policy.
const (
	PolicyAll      Policy = "all"
	PolicyApproved Policy = "approved"
)

// Approved tells whether billers may install an add-on: always under PolicyAll.
func (h *Host) Approved(ctx context.Context, addonID string) (bool, error) {
	if h.config.Policy == PolicyAll {
		return true, nil
	}
	list, err := h.store.Approvals(ctx)
	if err != nil {
		return false, err
	}
	_, ok := list[addonID]
	return ok, nil
}

// Approve lets billers install an add-on, under PolicyApproved. It is for
// operators and kept in their audit; approving again changes nothing.
//
// PermissionDenied without the ability addons:operate, NotFound if the add-on is
// not offered.
func (h *Host) Approve(ctx context.Context, by addon.Staff, addonID string) error {
	if err := mayOperate(by); err != nil {
		return err
	}
	offer, err := findOffer(ctx, h.config.Marketplace, addonID, "")
	if err != nil {
		return err
	}
	return h.store.Approve(ctx, operation(by, addon.ActionApprove, addonID, "", offer.Manifest.Version))
}

// Disapprove takes an approval back: no further biller can install the add-on.
// Those who have it keep it. PermissionDenied without the ability addons:operate.
func (h *Host) Disapprove(ctx context.Context, by addon.Staff, addonID string) error {
	if err := mayOperate(by); err != nil {
		return err
	}
	return h.store.Disapprove(ctx, operation(by, addon.ActionDisapprove, addonID, "", ""))
}

// admit refuses what the operator has not approved. A biller that has the add-on
// keeps it and may agree to more.
func (h *Host) admit(ctx context.Context, biller, addonID string) error {
	ok, err := h.Approved(ctx, addonID)
	if err != nil || ok {
		return err
	}
	inst, err := h.store.Installation(ctx, biller, addonID)
	if err != nil && !apperr.Is(err, apperr.NotFound) {
		return err
	}
	if inst.State == addon.Enabled {
		return nil
	}
	return apperr.Errorf(apperr.PermissionDenied, "This add-on waits for your operator, who has not approved it.")
}

func mayOperate(by addon.Staff) error {
	if by.Can(addon.AbilityOperate) {
		return nil
	}
	return apperr.Errorf(apperr.PermissionDenied, "Only an operator of this platform may do this.")
}

// operation is what the operators' audit keeps of an action.
func operation(by addon.Staff, action, addonID, from, to string) addon.Operation {
	name := by.Name
	if by.Email != "" {
		name = fmt.Sprintf("%s <%s>", by.Name, by.Email)
	}
	return addon.Operation{StaffID: by.ID, By: name, Action: action, AddonID: addonID, From: from, To: to}
}

// Operations returns what operators did to an add-on, to all if addonID is empty,
// the newest first, and whose data was deleted. PermissionDenied without the ability addons:operate.
func (h *Host) Operations(ctx context.Context, by addon.Staff, addonID string) ([]addon.Operation, error) {
	if err := mayOperate(by); err != nil {
		return nil, err
	}
	return h.store.Operations(ctx, addonID, operationsShown)
}

// operationsShown is how far back the audit is shown.
const operationsShown = 50
