package mail_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/mail"
)

// TestSilentConnectionIsReplaced loses a kept connection the way a firewall
// does: nothing is answered and nothing is closed.
func TestSilentConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	srv := MustServe(t, serverOptions{})
	addr, silence := mustRelay(t, srv.Addr)
	s := MustSender(t, mail.Config{URL: "smtp://" + addr + "?starttls=none", Timeout: 12 * time.Second})
	for range 2 {
		if _, err := s.Send(t.Context(), sample(s)); err != nil {
			t.Fatal(err)
		}
		silence()
	}
	if n := len(srv.Mails()); n != 2 {
		t.Errorf("%d mails, want 2", n)
	}
}

// mustRelay passes bytes on to the address; silence makes the connections that
// are open now pass nothing on any more, and stay open.
func mustRelay(tb testing.TB, to string) (addr string, silence func()) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	var mu sync.Mutex
	var servers []net.Conn
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			tb.Cleanup(func() { in.Close() })
			out, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			mu.Lock()
			servers = append(servers, out)
			mu.Unlock()
			go io.Copy(out, in)
			go io.Copy(in, out)
		}
	}()
	return l.Addr().String(), func() {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range servers {
			s.Close()
		}
		servers = nil
	}
}
