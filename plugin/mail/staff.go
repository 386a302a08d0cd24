package mail

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// maxStaffName is how much of a customer's name a mail to staff shows.
const maxStaffName = 100

// StaffNotices is what the portal knows about mails to staff; *portal.Service
// implements it.
type StaffNotices interface {
	StaffNotice(ctx context.Context, c portal.Caller, ref portal.StaffRef) (portal.StaffNotice, error)
}

var _ StaffNotices = (*portal.Service)(nil)

// Teller does the jobs of portal.JobStaff.
type Teller struct {
	Notices StaffNotices
	Host    sdk.Host
	Texts   *catalogue.Catalogue
	Now     func() time.Time
}

// Tell has the platform mail the biller's staff, once for the job. A biller that
// has not agreed to it is not told, nor is one whose platform cannot: staff see
// the same in the customer's history.
func (t *Teller) Tell(ctx context.Context, j jobs.Job) error {
	var ref portal.StaffRef
	if err := j.Decode(&ref); err != nil {
		return jobs.Permanent(err)
	}
	ctx, err := caller.ForJob(ctx, t.Host, j, t.Now())
	if err != nil {
		return err
	}
	n, err := t.Notices.StaffNotice(ctx, caller.Of(sdk.CallFrom(ctx), ""), ref)
	if errors.Is(err, portal.ErrStaleMail) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make mail to staff: %w", err)
	}
	biller, err := t.Host.Billers.Biller(ctx)
	if err != nil {
		return fmt.Errorf("read biller: %w", err)
	}
	_, err = t.Host.Staff.Notify(ctx, staffNotice(t.Texts.Text(biller.Locale), n))
	switch apperr.CodeOf(err) {
	case "", apperr.PermissionDenied, apperr.NotFound:
		return nil
	case apperr.TooManyRequests:
		return jobs.RetryAt(err, t.Now().Add(max(apperr.RetryAfterOf(err), time.Minute)))
	case apperr.Invalid:
		return jobs.Permanent(err)
	}
	return fmt.Errorf("tell staff: %w", err)
}

// staffNotice writes the mail. It holds nothing that a stranger typed: names are
// those of the biller's own books.
func staffNotice(t catalogue.Text, n portal.StaffNotice) sdk.StaffNotice {
	key := "staff." + string(n.Ref.Kind)
	parts := []string{t.N(key+".text", n.Count)}
	var names []string
	for _, c := range n.Customers {
		names = append(names, clip(oneLine(c.Label())))
	}
	if len(names) > 0 {
		all := strings.Join(names, ", ")
		if n.More > 0 {
			all = t.N("staff.customers.more", n.More, "Names", all)
		}
		parts = append(parts, t.N("staff.customers", len(names)+n.More, "Names", all))
	}
	notice := sdk.StaffNotice{
		Key: n.Ref.Key(), Kind: string(n.Ref.Kind), Ability: portal.AbilityInvite,
		Subject: t.N(key+".subject", n.Count), Text: strings.Join(append(parts, t.T("staff.often")), "\n\n"),
	}
	about := notice
	about.Path = staffPath(n)
	if about.Check() == nil {
		return about
	}
	return notice // an id that makes no path leads to the first page
}

// staffPath is the page to open: where requests are decided, or the customer's.
func staffPath(n portal.StaffNotice) string {
	switch {
	case n.Ref.Kind == portal.StaffAccess:
		return "/requests"
	case len(n.Customers) == 1 && n.More == 0:
		return "/customers/" + url.PathEscape(n.Customers[0].ID)
	}
	return ""
}

// clip cuts a name that would fill the mail.
func clip(name string) string {
	if r := []rune(name); len(r) > maxStaffName {
		return string(r[:maxStaffName]) + "…"
	}
	return name
}
