package services

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/email"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

const (
	// mailLease is how long the claim of a host that was killed keeps others from
	// sending. A living one renews it, so that of two processes with one key only
	// one sends.
	mailLease = 20 * time.Second
	// recordTime bounds writing down what became of a mail.
	recordTime = 15 * time.Second
)

var kindPattern = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,39}$`)

type mails struct{ bound }

var _ sdk.Mail = mails{}

// Send implements sdk.Mail: it claims the key, sends, and records the result.
// Whoever dies between sending and recording leaves a claim that ends by
// itself; the next try makes at most one duplicate, with the same Message-ID.
//
// A mail goes to the address in the record of the customer it names. Without a
// customer only the kinds "confirmation" and "security" may be sent: to an
// address somebody is signing up with, or to that of a sign-in, which the
// biller may know nothing of. The kind "access" goes to an address that a staff
// user let be written to about that customer (Permit).
func (m mails) Send(ctx context.Context, msg sdk.Message) (sdk.MailResult, error) {
	if err := m.allow(ctx, sendMail); err != nil {
		return sdk.MailResult{}, err
	}
	if err := m.check(ctx, msg); err != nil {
		return sdk.MailResult{}, err
	}
	biller, err := m.biller(ctx)
	if err != nil {
		return sdk.MailResult{}, err
	}
	return m.deliver(ctx, addon.MailEntry{Key: msg.Key, Kind: msg.Kind, CustomerID: msg.CustomerID, ToHash: m.hash(msg.To)},
		func(messageID string) addon.Mail { return m.compose(msg, biller, messageID) })
}

// deliver sends a mail once for its key.
func (m mails) deliver(ctx context.Context, entry addon.MailEntry, compose func(messageID string) addon.Mail) (sdk.MailResult, error) {
	entry.BillerID, entry.AddonID = m.grant.BillerID, m.grant.AddonID
	entry.MessageID = m.cfg.Mailer.MessageID(entry.BillerID, entry.AddonID, entry.Key)
	entry, err := m.cfg.Store.ReserveMail(ctx, entry, m.cfg.Caps, mailLease)
	if err != nil {
		return sdk.MailResult{}, err
	}
	switch entry.State {
	case addon.MailAccepted:
		return result(entry.MessageID, addon.Receipt{AcceptedAt: entry.AcceptedAt, Response: entry.Response}, true), nil
	case addon.MailFailed:
		return sdk.MailResult{}, apperr.Errorf(apperr.Invalid, "%s", entry.Response)
	case addon.MailReserved:
	}
	mail := compose(entry.MessageID)
	mail.Sender = entry.BillerID
	done := m.keep(ctx, entry)
	receipt, err := m.hand(ctx, mail)
	done()
	m.record(ctx, entry, receipt, err)
	if err != nil {
		return sdk.MailResult{}, err
	}
	return result(entry.MessageID, receipt, false), nil
}

// keep renews the claim until done is called, which waits for the last renewal.
func (m mails) keep(ctx context.Context, e addon.MailEntry) (done func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var renewing sync.WaitGroup
	renewing.Go(func() {
		every := time.NewTicker(mailLease / 4)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
			if err := m.cfg.Store.RenewMail(ctx, e, mailLease); err != nil && ctx.Err() == nil {
				m.cfg.Log.WarnContext(ctx, "claim of a mail not renewed", "biller", e.BillerID, "addon", e.AddonID, "key", e.Key, "error", err.Error())
			}
		}
	})
	return func() { cancel(); renewing.Wait() }
}

// hand gives the mail to the mailer, counted and as a span.
func (m mails) hand(ctx context.Context, mail addon.Mail) (addon.Receipt, error) {
	end := m.cfg.Meter.Mail(m.grant.AddonID)
	ctx, span := telemetry.Start(ctx, "send mail", trace.SpanKindClient)
	receipt, err := m.cfg.Mailer.Send(ctx, mail)
	telemetry.End(span, err)
	switch {
	case err == nil:
		end("sent")
	case apperr.Is(err, apperr.Invalid):
		end("failed")
	default:
		end("deferred")
	}
	return receipt, err
}

func result(messageID string, r addon.Receipt, repeated bool) sdk.MailResult {
	return sdk.MailResult{MessageID: messageID, AcceptedAt: r.AcceptedAt, Response: r.Response, Repeated: repeated}
}

// check refuses what the add-on may not send, before anything is kept.
func (m mails) check(ctx context.Context, msg sdk.Message) error {
	if msg.Key == "" || len(msg.Key) > 200 || strings.ContainsFunc(msg.Key, unicode.IsControl) {
		return apperr.Errorf(apperr.Invalid, "A mail's key must have 1 to 200 characters, none of them a control character.")
	}
	if !kindPattern.MatchString(msg.Kind) {
		return apperr.Errorf(apperr.Invalid, "A mail's kind must be a short word such as invitation.")
	}
	to, err := email.Normalize(msg.To)
	if err != nil {
		return err
	}
	if msg.CustomerID == "" {
		if msg.Kind != "confirmation" && msg.Kind != "security" {
			return apperr.Errorf(apperr.PermissionDenied, "A mail of this kind must name its customer.")
		}
		return nil
	}
	customer, err := m.cfg.Platform.Customer(ctx, m.grant.BillerID, msg.CustomerID)
	if err != nil {
		return err
	}
	if msg.Kind == permitKind {
		if !m.permitted(msg, to) {
			return apperr.Errorf(apperr.PermissionDenied, "No staff user has let this address be written to about the customer.")
		}
		return nil
	}
	if theirs, err := email.Normalize(customer.Email); err != nil || theirs != to {
		return apperr.Errorf(apperr.PermissionDenied, "The address is not the one in the customer's record.")
	}
	return nil
}

// hash lets a repeated key be compared with the first, without keeping the
// address.
func (m mails) hash(to string) string {
	normal, err := email.Normalize(to)
	if err != nil {
		normal = to
	}
	mac := hmac.New(sha256.New, m.cfg.Key)
	mac.Write([]byte("mail-recipient\x00" + m.grant.BillerID + "\x00" + normal))
	return hex.EncodeToString(mac.Sum(nil))
}

func (m mails) compose(msg sdk.Message, biller sdk.Biller, messageID string) addon.Mail {
	replyTo, err := deliverable(biller.Email)
	if err != nil {
		replyTo = "" // the biller's own slip must not keep its customers from their mail
	}
	to, err := deliverable(msg.To)
	if err != nil {
		to = msg.To // the mailer refuses it
	}
	return addon.Mail{
		MessageID: messageID,
		FromName:  oneLine(biller.Name),
		ReplyTo:   replyTo,
		To:        to,
		Subject:   msg.Subject,
		Text:      msg.Text,
		HTML:      msg.HTML,
		Footer:    m.footer(biller),
	}
}

// oneLine keeps a name from ending a header line: a slip of the biller's must
// not keep its customers from their mail.
func oneLine(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }), " ")
}

// deliverable returns the address as it goes to a mail server: as typed, but
// for a domain in another script, which goes in its ASCII form.
func deliverable(address string) (string, error) {
	normal, err := email.Normalize(address)
	if err != nil {
		return "", err
	}
	address = strings.TrimSpace(address)
	local, domain := address[:strings.LastIndexByte(address, '@')], address[strings.LastIndexByte(address, '@'):]
	ascii := normal[strings.LastIndexByte(normal, '@'):]
	if strings.EqualFold(domain, ascii) {
		return address, nil
	}
	return local + ascii, nil
}

// footer says who sends, as the law of many places wants it: name and postal
// address of the business.
func (m mails) footer(b sdk.Biller) []string {
	a := b.Address
	line := []string{b.Name}
	for _, part := range []string{a.Street, a.City, strings.TrimSpace(a.State + " " + a.Zip), a.Country} {
		if part != "" {
			line = append(line, part)
		}
	}
	lines := []string{strings.Join(line, ", ")}
	if m.cfg.PlatformName != "" {
		lines = append(lines, "Sent by "+m.cfg.PlatformName+" for "+b.Name+".")
	}
	return lines
}

// record keeps what became of the mail, even if the caller has gone. A failure
// to record is logged only: the mail is out, and that is what the caller must
// learn.
func (m mails) record(ctx context.Context, e addon.MailEntry, receipt addon.Receipt, sendErr error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	s := m.cfg.Store
	var err error
	switch {
	case sendErr == nil:
		err = s.AcceptMail(ctx, e.BillerID, e.AddonID, e.Key, receipt)
	case apperr.Is(sendErr, apperr.Invalid):
		err = s.FailMail(ctx, e, apperr.MessageOf(sendErr))
	default:
		err = s.ReleaseMail(ctx, e, apperr.MessageOf(sendErr))
	}
	if err != nil {
		m.cfg.Log.ErrorContext(ctx, "mail result not recorded", "biller", e.BillerID, "addon", e.AddonID,
			"key", e.Key, "error", err.Error())
	}
}
