package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
)

type auditCommands struct {
	Verify auditVerifyCommand `cmd:"" help:"Check that no record of any audit was changed, inserted or taken away; exit code 1 if one was."`
	List   auditListCommand   `cmd:"" help:"List records of a biller's audit, the newest first."`
	Export auditExportCommand `cmd:"" help:"Print a biller's whole audit, the newest first, a JSON object a line."`
}

type auditVerifyCommand struct {
	Biller string   `placeholder:"SLUG" help:"Check this biller's audit only."`
	Expect []string `sep:"none" placeholder:"HEAD" help:"A head that an earlier check printed, SLUG:NUMBER:HASH; the audit must still contain it. May be given several times."`
	JSON   bool     `name:"json" help:"Print JSON."`
}

// verified is one line of what a check found.
type verified struct {
	Biller  string `json:"biller"`
	OK      bool   `json:"ok"`
	Records int64  `json:"records"`
	// Head, kept elsewhere, is for --expect.
	Head  string       `json:"head,omitempty"`
	Break *brokenPlace `json:"break,omitempty"`
}

// brokenPlace is the first record that does not hold.
type brokenPlace struct {
	Record  int64  `json:"record,omitempty"`
	ID      string `json:"id,omitempty"`
	Problem string `json:"problem"`
}

func (b brokenPlace) String() string {
	place := ""
	if b.Record > 0 {
		place = fmt.Sprintf("record %d", b.Record)
	}
	if b.ID != "" {
		place = strings.TrimSpace(place + " (" + b.ID + ")")
	}
	return place + ": " + b.Problem
}

// errTampered ends the command with exit code 1.
var errTampered = errors.New("an audit does not hold; see above")

func (cmd *auditVerifyCommand) run(ctx context.Context, p *Program, c Config) error {
	kept, err := readHeads(cmd.Expect)
	if err != nil {
		return err
	}
	return withBooks(ctx, p, c, func(l *ledger) error {
		billers, err := cmd.billers(ctx, l, kept)
		if err != nil {
			return err
		}
		out, whole := []verified{}, true
		for _, b := range billers {
			report, err := l.VerifyAudit(ctx, b.ID, kept[b.Slug]...)
			if err != nil {
				return fmt.Errorf("verify audit of %s: %w", b.Slug, err)
			}
			v := verifiedLine(b, report)
			out, whole = append(out, v), whole && v.OK
		}
		if err := cmd.print(p, out); err != nil {
			return err
		}
		if !whole {
			return errTampered
		}
		return nil
	})
}

// billers are those to check: every head that is expected needs its biller.
func (cmd *auditVerifyCommand) billers(ctx context.Context, l *ledger, kept map[string][]books.AuditHead) ([]sdk.Biller, error) {
	all, err := l.Billers(ctx)
	if err != nil {
		return nil, err
	}
	if cmd.Biller != "" {
		all = slices.DeleteFunc(all, func(b sdk.Biller) bool { return b.Slug != cmd.Biller })
		if len(all) == 0 {
			return nil, fmt.Errorf("biller %q: there is no such biller", cmd.Biller)
		}
	}
	for slug := range kept {
		if !slices.ContainsFunc(all, func(b sdk.Biller) bool { return b.Slug == slug }) {
			return nil, fmt.Errorf("--expect: biller %q is not among those checked", slug)
		}
	}
	return all, nil
}

func verifiedLine(b sdk.Biller, r books.AuditReport) verified {
	v := verified{Biller: b.Slug, OK: r.Break == nil, Records: r.Records}
	if r.Break != nil {
		v.Break = &brokenPlace{r.Break.Seq, r.Break.ID, r.Break.Problem}
		return v
	}
	v.Head = fmt.Sprintf("%s:%d:%s", b.Slug, r.Head.Seq, r.Head.Hash)
	return v
}

func (cmd *auditVerifyCommand) print(p *Program, list []verified) error {
	if cmd.JSON {
		return json.NewEncoder(p.Stdout).Encode(list)
	}
	for _, v := range list {
		line := fmt.Sprintf("%s\t%d records hold\thead %s\n", v.Biller, v.Records, v.Head)
		if !v.OK {
			line = fmt.Sprintf("%s\tBROKEN after %d records\t%s\n", v.Biller, v.Records, *v.Break)
		}
		if _, err := fmt.Fprint(p.Stdout, line); err != nil {
			return err
		}
	}
	return nil
}

// readHeads reads SLUG:NUMBER:HASH, by slug.
func readHeads(list []string) (map[string][]books.AuditHead, error) {
	heads := map[string][]books.AuditHead{}
	for _, text := range list {
		parts := strings.Split(strings.TrimSpace(text), ":")
		if len(parts) != 3 {
			return nil, fmt.Errorf("--expect %q: a head has the form SLUG:NUMBER:HASH", text)
		}
		seq, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil || seq < 1 || parts[2] == "" {
			return nil, fmt.Errorf("--expect %q: a head has the form SLUG:NUMBER:HASH", text)
		}
		heads[parts[0]] = append(heads[parts[0]], books.AuditHead{Seq: seq, Hash: parts[2]})
	}
	return heads, nil
}

type auditListCommand struct {
	Biller   string    `required:"" placeholder:"SLUG" help:"Slug of the biller."`
	From     time.Time `format:"2006-01-02" placeholder:"DAY" help:"First day, as 2026-06-30 (UTC)."`
	To       time.Time `format:"2006-01-02" placeholder:"DAY" help:"Last day."`
	Staff    string    `placeholder:"EMAIL" help:"What this staff user did; command-line for what was typed."`
	Action   string    `placeholder:"NOUN.VERB" help:"This action only."`
	Customer string    `placeholder:"NUMBER" help:"About the customer with this account number or name."`
	Addon    string    `placeholder:"ID" help:"About this add-on."`
	Limit    int       `default:"100" help:"How many at most, 1 to 1000."`
	JSON     bool      `name:"json" help:"Print JSON."`
}

func (cmd *auditListCommand) run(ctx context.Context, p *Program, c Config) error {
	return withBiller(ctx, p, c, cmd.Biller, func(l *ledger, b sdk.Biller) error {
		filter, err := cmd.filter(ctx, l, b.ID)
		if err != nil {
			return err
		}
		list, err := l.FindAudit(ctx, b.ID, filter)
		if err != nil {
			return err
		}
		out := []auditLine{}
		for _, e := range list.Entries {
			out = append(out, newAuditLine(e))
		}
		if cmd.JSON {
			return json.NewEncoder(p.Stdout).Encode(out)
		}
		for _, a := range out {
			if _, err := fmt.Fprintf(p.Stdout, "%s\t%s\t%s\t%s\t%s\n", a.At.Format(time.RFC3339), a.Action, oneLine(a.who()), oneLine(a.Object), a.IP); err != nil {
				return err
			}
		}
		return nil
	})
}

func (cmd *auditListCommand) filter(ctx context.Context, l *ledger, biller string) (books.AuditFilter, error) {
	f := books.AuditFilter{From: cmd.From, StaffID: cmd.Staff, Action: cmd.Action, AddonID: cmd.Addon, Limit: cmd.Limit}
	if !cmd.To.IsZero() {
		f.Until = cmd.To.AddDate(0, 0, 1)
	}
	if strings.Contains(cmd.Staff, "@") {
		p, err := l.StaffByEmail(ctx, biller, cmd.Staff)
		if err != nil {
			return f, fmt.Errorf("--staff: %w", err)
		}
		f.StaffID = p.ID
	}
	if cmd.Customer != "" {
		customer, err := l.FindByLabel(ctx, biller, cmd.Customer)
		if err != nil {
			return f, fmt.Errorf("--customer: %w", err)
		}
		f.CustomerID = customer.ID
	}
	return f, nil
}

// auditLine is a record in JSON.
type auditLine struct {
	Record   int64             `json:"record,omitempty"`
	ID       string            `json:"id"`
	At       time.Time         `json:"at"`
	Action   string            `json:"action"`
	Addon    string            `json:"addon,omitempty"`
	Staff    string            `json:"staff,omitempty"`
	Name     string            `json:"name,omitempty"`
	User     string            `json:"portal_user,omitempty"`
	Object   string            `json:"object,omitempty"`
	Customer string            `json:"customer,omitempty"`
	IP       string            `json:"ip,omitempty"`
	Request  string            `json:"request,omitempty"`
	Detail   map[string]string `json:"detail,omitempty"`
}

func newAuditLine(e books.AuditEntry) auditLine {
	return auditLine{
		Record: e.Seq, ID: e.ID, At: e.At, Action: e.Action, Addon: e.AddonID, Staff: e.StaffID, Name: e.StaffName, User: e.PortalUserClaim,
		Object: e.Object, Customer: e.CustomerID, IP: e.RemoteIP, Request: e.RequestID, Detail: e.Detail,
	}
}

// who is the best there is to say who did it.
func (a auditLine) who() string {
	for _, s := range []string{a.Name, a.Staff, a.User} {
		if s != "" {
			return s
		}
	}
	return "-"
}

type auditExportCommand struct {
	Biller string `required:"" placeholder:"SLUG" help:"Slug of the biller."`
}

func (cmd *auditExportCommand) run(ctx context.Context, p *Program, c Config) error {
	return withBiller(ctx, p, c, cmd.Biller, func(l *ledger, b sdk.Biller) error {
		out := json.NewEncoder(p.Stdout)
		for f := (books.AuditFilter{Limit: 1000}); ; {
			list, err := l.FindAudit(ctx, b.ID, f)
			if err != nil {
				return err
			}
			for _, e := range list.Entries {
				if err := out.Encode(newAuditLine(e)); err != nil {
					return fmt.Errorf("write audit: %w", err)
				}
			}
			if f.After = list.Next; f.After == "" {
				return nil
			}
		}
	})
}

// withBooks opens the books without the add-ons.
func withBooks(ctx context.Context, p *Program, c Config, f func(*ledger) error) error {
	l, err := openBooks(ctx, c, false)
	if err != nil {
		return err
	}
	defer l.close(p.logger(c))
	return f(l)
}

func withBiller(ctx context.Context, p *Program, c Config, slug string, f func(*ledger, sdk.Biller) error) error {
	return withBooks(ctx, p, c, func(l *ledger) error {
		biller, err := l.BillerBySlug(ctx, slug)
		if err != nil {
			return fmt.Errorf("biller %q: %w", slug, err)
		}
		return f(l, biller)
	})
}
