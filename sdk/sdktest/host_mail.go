package sdktest

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/email"
)

func (s *services) Send(ctx context.Context, m sdk.Message) (sdk.MailResult, error) {
	if err := s.need("mail:send"); err != nil {
		return sdk.MailResult{}, err
	}
	if s.host.SendFn != nil {
		return s.host.SendFn(ctx, s.biller, m)
	}
	if _, err := email.Normalize(m.To); err != nil || m.Key == "" || len(m.Key) > 200 {
		return sdk.MailResult{}, apperr.Errorf(apperr.Invalid, "The mail has no valid address or key.")
	}
	if norm, _ := email.Normalize(m.To); m.Kind == "access" && m.Permit != permit(s.biller, m.CustomerID, norm) {
		return sdk.MailResult{}, apperr.Errorf(apperr.PermissionDenied, "No staff user has let this address be written to about the customer.")
	}
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	for _, sent := range s.host.mails {
		if sent.Biller == s.biller && sent.Key == m.Key {
			sent.Result.Repeated = true
			return sent.Result, nil
		}
	}
	result := sdk.MailResult{
		MessageID:  fmt.Sprintf("<%d@mail.test>", len(s.host.mails)+1),
		AcceptedAt: time.Now().UTC().Truncate(time.Microsecond),
		Response:   "250 2.0.0 Ok",
	}
	s.host.mails = append(s.host.mails, Mail{Biller: s.biller, Message: m, Result: result})
	return result, nil
}

// Permit gives a permit to whoever asks: who may is the real host's to judge.
func (s *services) Permit(ctx context.Context, customerID, to string) (string, error) {
	if err := s.need("mail:send"); err != nil {
		return "", err
	}
	norm, err := email.Normalize(to)
	if err != nil {
		return "", err
	}
	if _, err := s.Customer(ctx, customerID); err != nil {
		return "", err
	}
	return permit(s.biller, customerID, norm), nil
}

func permit(biller, customerID, norm string) string {
	return "permit/" + biller + "/" + customerID + "/" + norm
}
