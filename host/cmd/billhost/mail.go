package main

import (
	"context"
	"net/http"

	"github.com/billing-addons/customer-portal/host/mail/sink"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

// mailbox is where mails go: SMTP_URL, or in development a server in this
// process whose mails show at /dev/mail.
type mailbox struct {
	url   string
	pages http.Handler
}

func (s *server) openMail(context.Context) error {
	s.mails = mailbox{url: s.config.SMTPURL}
	if s.mails.url != "" || !s.config.Dev {
		return nil
	}
	kept, err := sink.Open()
	if err != nil {
		return err
	}
	s.closers = append(s.closers, kept.Close)
	s.mails.url = kept.URL()
	s.mails.pages, err = kept.Handler("/dev/mail", "/static/"+sdkweb.AssetsHash()+"/portal.css")
	return err
}
