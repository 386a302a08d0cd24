package services

import (
	"context"
	"regexp"
	"strings"
	"unicode"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// Limits of one audit event.
const (
	maxDetails = 32
	maxDetail  = 2000
	maxName    = 200
)

var actionPattern = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$`)

type audit struct{ bound }

var _ sdk.Audit = audit{}

// Write implements sdk.Audit. Who acted, when and from where is the host's word.
func (a audit) Write(ctx context.Context, e sdk.AuditEvent) error {
	if err := a.allow(ctx, writeAudit); err != nil {
		return err
	}
	if err := checkEvent(e); err != nil {
		return err
	}
	r := addon.AuditRecord{
		Key:             e.Key,
		At:              sqldb.Time(a.cfg.Now()),
		AddonID:         a.grant.AddonID,
		StaffID:         a.grant.Viewer.StaffID,
		PortalUserClaim: e.PortalUser,
		Action:          e.Action,
		Object:          e.Object,
		CustomerID:      e.CustomerID,
		RequestID:       a.grant.RequestID,
		Detail:          e.Detail,
	}
	if a.grant.RemoteIP.IsValid() {
		r.RemoteIP = a.grant.RemoteIP.String()
	}
	return a.cfg.Platform.RecordAudit(ctx, a.grant.BillerID, r)
}

func checkEvent(e sdk.AuditEvent) error {
	if !actionPattern.MatchString(e.Action) || len(e.Action) > maxName {
		return apperr.Errorf(apperr.Invalid, "An audit action has the form noun.verb.")
	}
	if len(e.Key) > maxName || strings.ContainsFunc(e.Key, unicode.IsControl) {
		return apperr.Errorf(apperr.Invalid, "The key of an audit event may have %d characters, none of them a control character.", maxName)
	}
	if len(e.Object) > maxName || len(e.CustomerID) > maxName || len(e.PortalUser) > maxName {
		return apperr.Errorf(apperr.Invalid, "The ids of an audit event may have %d characters.", maxName)
	}
	if len(e.Detail) > maxDetails {
		return apperr.Errorf(apperr.Invalid, "An audit event may have %d details.", maxDetails)
	}
	for name, value := range e.Detail {
		if len(name) > maxName || len(value) > maxDetail {
			return apperr.Errorf(apperr.Invalid, "A detail of an audit event is too long.")
		}
	}
	return nil
}
