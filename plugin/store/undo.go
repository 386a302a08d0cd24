package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// undoOf tells what "This wasn't me" does about d. The page and the act ask here;
// the act with d locked.
func undoOf(ctx context.Context, q querier, biller string, d disowned, normalize func(string) (string, error)) (portal.Undo, error) {
	switch d.what.Action {
	case portal.ActionResetAsked:
		if d.reset == nil {
			return portal.UndoNothing, nil // swept: it works no more
		}
		return portal.UndoAsked, nil
	case portal.ActionSignUpStarted:
		if d.signUp == nil {
			return portal.UndoNothing, nil
		}
		if d.signUp.UserID != "" {
			return shutting(ctx, q, biller, d, d.signUp.EmailNorm)
		}
		if _, open := d.signUp.Step.Next(portal.SignUpVoid); open {
			return portal.UndoSignUp, nil
		}
		return portal.UndoNothing, nil
	case portal.ActionSignUpAsked:
		if d.proof == nil {
			return portal.UndoNothing, nil
		}
		if d.proof.UserID != "" {
			return shutting(ctx, q, biller, d, d.proof.EmailNorm)
		}
		if _, open := d.proof.Step.Next(portal.ProofEnd); open {
			return portal.UndoOpen, nil
		}
		return portal.UndoNothing, nil
	case portal.ActionAddressAsked:
		return undoOfCode(ctx, q, biller, d)
	}
	if d.user == nil {
		return portal.UndoNothing, nil // erased, and the address of the notice with it
	}
	norm, err := normalize(d.what.NoticeTo)
	if err != nil {
		return "", err
	}
	return shutting(ctx, q, biller, d, norm)
}

// shutting is how a sign-in is shut to everybody but the owner of an address.
func shutting(ctx context.Context, q querier, biller string, d disowned, norm string) (portal.Undo, error) {
	if d.user == nil {
		return portal.UndoNothing, nil
	}
	if d.user.State != portal.UserActive {
		return portal.UndoShut, nil
	}
	if d.user.EmailNorm == norm {
		return portal.UndoSecure, nil
	}
	var other string
	taken, err := get(ctx, q, &other, `
		SELECT id
		FROM users
		WHERE biller_id = $1 AND email_norm = $2 AND id <> $3`, biller, norm, d.user.ID)
	if err != nil {
		return "", fmt.Errorf("find who has the address: %w", err)
	}
	if taken {
		return portal.UndoShut, nil
	}
	return portal.UndoRestore, nil
}

// undoOfCode is of the mail with a code for a new address: the change is open, was
// made and stands, or is over.
func undoOfCode(ctx context.Context, q querier, biller string, d disowned) (portal.Undo, error) {
	if d.user == nil {
		return portal.UndoNothing, nil
	}
	open, err := findAddressChange(ctx, q, biller, d.user.ID)
	if err != nil && !errors.Is(err, portal.ErrNoAddressChange) {
		return "", err
	}
	if err == nil && open.ID == d.what.ID {
		return portal.UndoCode, nil
	}
	var row activityRow
	made, err := get(ctx, q, &row, selectActivity+`
		AND user_id = $2 AND user_id <> '' AND action = $3 AND object = $4`,
		biller, d.user.ID, string(portal.ActionAddressChanged), d.what.ID)
	if err != nil {
		return "", fmt.Errorf("find change of address: %w", err)
	}
	if !made {
		return portal.UndoNothing, nil
	}
	a, err := row.activity()
	if err != nil {
		return "", err
	}
	if !strings.EqualFold(a.Detail["to"], d.user.Email) {
		return portal.UndoNothing, nil // the address was changed again, or put back
	}
	return portal.UndoUsed, nil
}
