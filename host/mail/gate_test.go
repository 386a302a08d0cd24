package mail_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/billing-addons/customer-portal/host/mail"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// TestSlowMailsOfOneBillerLeaveAWay has a server that does not answer the mails
// of one biller: those of others go out meanwhile, one after another.
func TestSlowMailsOfOneBillerLeaveAWay(t *testing.T) {
	t.Parallel()
	srv := MustServe(t, serverOptions{})
	goOn := make(chan struct{})
	srv.OnRcpt = func(to string) error {
		if to == "jo@slow.example" {
			<-goOn
		}
		return nil
	}
	s := MustSender(t, mail.Config{URL: "smtp://" + srv.Addr})
	var slow sync.WaitGroup
	for range 12 {
		slow.Go(func() {
			m := sample(s)
			m.Sender, m.To = "slow", "jo@slow.example"
			if _, err := s.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	until(t, "three of its mails hang", func() bool { _, most := srv.Sessions(); return most == 3 })
	for i := range 20 {
		m := sample(s)
		m.Sender = fmt.Sprint("quick", i%3)
		if _, err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(srv.Mails()); n != 20 {
		t.Errorf("%d mails while the others hang, want 20", n)
	}
	close(goOn)
	slow.Wait()
	if n := len(srv.Mails()); n != 32 {
		t.Errorf("%d mails in the end, want 32", n)
	}
}

// TestWhoHasFewestComesFirst fills all connections with mails of two billers: the
// third is next, before those that have waited longer.
func TestWhoHasFewestComesFirst(t *testing.T) {
	t.Parallel()
	srv := MustServe(t, serverOptions{})
	one, rest := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	var order []string
	srv.OnRcpt = func(to string) error {
		mu.Lock()
		order = append(order, to)
		mu.Unlock()
		if to == "first@customer.example" {
			select {
			case <-one:
			case <-rest:
			}
			return nil
		}
		<-rest
		return nil
	}
	s := MustSender(t, mail.Config{URL: "smtp://" + srv.Addr})
	var all sync.WaitGroup
	send := func(sender string) {
		all.Go(func() {
			m := sample(s)
			m.Sender, m.To = sender, sender+"@customer.example"
			if _, err := s.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	begun := func(n int) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return len(order) == n }
	}
	for range 8 {
		send("first")
	}
	until(t, "the first has all that one may have", begun(3))
	for range 8 {
		send("second")
	}
	until(t, "the second has what is left", begun(4))
	until(t, "all wait", func() bool { return s.Waiting() == 12 })
	send("third")
	until(t, "the third waits", func() bool { return s.Waiting() == 13 })
	one <- struct{}{} // one of the first ends
	until(t, "one has followed", begun(5))
	close(rest)
	all.Wait()
	if order[4] != "third@customer.example" {
		t.Errorf("order %v", order)
	}
}

// TestWaitingLeavesTimeForTheMail: who cannot get a connection in half of its
// time does not begin a mail that it could not end.
func TestWaitingLeavesTimeForTheMail(t *testing.T) {
	t.Parallel()
	srv := MustServe(t, serverOptions{})
	goOn := make(chan struct{})
	srv.OnMail = func(n int) error {
		if n == 1 {
			<-goOn
		}
		return nil
	}
	s := MustSender(t, mail.Config{URL: "smtp://" + srv.Addr, Connections: 1, Timeout: 10 * time.Second})
	var first sync.WaitGroup
	first.Go(func() {
		if _, err := s.Send(t.Context(), sample(s)); err != nil {
			t.Error(err)
		}
	})
	until(t, "the first hangs", func() bool { all, _ := srv.Sessions(); return all == 1 })
	_, err := s.Send(t.Context(), sample(s))
	if !apperr.Is(err, apperr.Unavailable) || apperr.MessageOf(err) != "The mail server is busy with other mails." {
		t.Errorf("Send = %v, want Unavailable", err)
	}
	close(goOn)
	first.Wait()
	if _, err := s.Send(t.Context(), sample(s)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if n := len(srv.Mails()); n != 2 {
		t.Errorf("%d mails, want 2", n)
	}
}

// TestPlacesAreGivenBack fails more mails than there are connections.
func TestPlacesAreGivenBack(t *testing.T) {
	t.Parallel()
	srv := MustServe(t, serverOptions{})
	srv.OnMail = func(n int) error {
		if n <= 20 {
			return &smtp.SMTPError{Code: 451, Message: "later"}
		}
		return nil
	}
	s := MustSender(t, mail.Config{URL: "smtp://" + srv.Addr, Connections: 2})
	for range 20 {
		if _, err := s.Send(t.Context(), sample(s)); !apperr.Is(err, apperr.Unavailable) {
			t.Fatal(err)
		}
	}
	if _, err := s.Send(t.Context(), sample(s)); err != nil {
		t.Error(err)
	}
}
