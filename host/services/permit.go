package services

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/email"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

const (
	// permitLife is as long as an invitation can live.
	permitLife = 90 * 24 * time.Hour
	// permitAbility is what a staff user needs to let somebody be invited.
	permitAbility = "staff:invite"
	// permitKind is the kind of mails that need a permit.
	permitKind = "access"
)

// Permit implements sdk.Mail. The permit is a signature over biller, add-on,
// customer, address and end: an add-on cannot make one, nor use one elsewhere.
// The audit entry is the host's own word, which no add-on can leave out.
func (m mails) Permit(ctx context.Context, customerID, to string) (string, error) {
	if err := m.allow(ctx, permitMail); err != nil {
		return "", err
	}
	g := m.grant
	if g.Viewer.StaffID == "" || !slices.Contains(g.Viewer.Abilities, permitAbility) {
		return "", apperr.Errorf(apperr.PermissionDenied, "Only a staff user who may invite can let another address be written to.")
	}
	norm, err := email.Normalize(to)
	if err != nil {
		return "", err
	}
	if _, err := m.cfg.Platform.Customer(ctx, g.BillerID, customerID); err != nil {
		return "", err
	}
	r := addon.AuditRecord{
		At: sqldb.Time(m.cfg.Now()), AddonID: g.AddonID, StaffID: g.Viewer.StaffID, RequestID: g.RequestID,
		Action: "mail.permitted", Object: customerID, CustomerID: customerID, Detail: map[string]string{"to": email.Mask(to)},
	}
	if g.RemoteIP.IsValid() {
		r.RemoteIP = g.RemoteIP.String()
	}
	if err := m.cfg.Platform.RecordAudit(ctx, g.BillerID, r); err != nil {
		return "", err
	}
	return m.permit(customerID, norm, m.cfg.Now().Add(permitLife).Unix()), nil
}

func (m mails) permit(customerID, norm string, until int64) string {
	end := strconv.FormatInt(until, 10)
	mac := hmac.New(sha256.New, m.cfg.Key)
	for _, part := range []string{"mail-permit", m.grant.BillerID, m.grant.AddonID, customerID, norm, end} {
		mac.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return end + "." + hex.EncodeToString(mac.Sum(nil))
}

// permitted tells whether the message holds a good permit for its address.
func (m mails) permitted(msg sdk.Message, norm string) bool {
	end, _, ok := strings.Cut(msg.Permit, ".")
	until, err := strconv.ParseInt(end, 10, 64)
	if !ok || err != nil || m.cfg.Now().Unix() >= until {
		return false
	}
	return hmac.Equal([]byte(msg.Permit), []byte(m.permit(msg.CustomerID, norm, until)))
}
