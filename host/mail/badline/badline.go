// Package badline stands before a mail server and spoils conversations with it,
// for tests.
package badline

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Place is where a conversation goes wrong.
type Place string

// The places, in the order of a conversation. At AfterDot the server has taken the
// mail, and only its answer is lost.
const (
	Greeting  Place = "in the greeting"
	AtSender  Place = "after MAIL FROM"
	AfterData Place = "after DATA"
	InMail    Place = "in the mail"
	AfterDot  Place = "after the final dot"
)

// Line passes SMTP on in clear, until it is told to spoil it.
type Line struct {
	// Addr is where it listens, host:port.
	Addr string

	mu    sync.Mutex
	where Place
	cut   bool
	left  int
	hit   int
	open  map[io.Closer]bool
	ended bool
}

// Must returns a line to the server's address that ends with the test.
func Must(tb testing.TB, to string) *Line {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	l := &Line{Addr: listener.Addr().String(), open: map[io.Closer]bool{}}
	tb.Cleanup(func() {
		if err := listener.Close(); err != nil {
			tb.Error(err)
		}
		l.mu.Lock()
		l.ended = true
		l.mu.Unlock()
		l.Mend()
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // the test has ended
			}
			go l.serve(client, to)
		}
	}()
	return l
}

// Spoil makes the next n conversations that come to the place end there: by
// hanging up if cut is true, otherwise by silence.
func (l *Line) Spoil(n int, where Place, cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left, l.hit, l.where, l.cut = n, 0, where, cut
}

// Hit is how many were spoilt since the last Spoil.
func (l *Line) Hit() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hit
}

// Mend spoils no more, and hangs up all that are open.
func (l *Line) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = 0
	for c := range l.open {
		_ = c.Close() // it may be closed already
	}
	clear(l.open)
}

// take tells whether this conversation is to be spoilt here.
func (l *Line) take(where Place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.where != where || l.left == 0 {
		return false
	}
	l.left--
	return true
}

// keep remembers open ends; false means that the test has ended.
func (l *Line) keep(ends ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range ends {
		if l.ended {
			_ = c.Close() // nobody uses it
			continue
		}
		l.open[c] = true
	}
	return !l.ended
}

func (l *Line) serve(client net.Conn, to string) {
	if !l.keep(client) {
		return
	}
	if l.take(Greeting) {
		l.spoil(client)
		return
	}
	server, err := net.Dial("tcp", to)
	if err != nil {
		_ = client.Close() // it notices
		return
	}
	if !l.keep(server) {
		return
	}
	c := &conversation{line: l, client: client, server: server}
	go c.answers()
	c.commands()
}

// spoil counts, and hangs up or leaves the ends open and silent.
func (l *Line) spoil(ends ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hit++
	if !l.cut {
		return
	}
	for _, c := range ends {
		_ = c.Close() // the other side notices
		delete(l.open, c)
	}
}

// conversation is one connection, passed on by lines.
type conversation struct {
	line           *Line
	client, server net.Conn
	// muted is set when what the server says next is not to arrive.
	muted atomic.Bool
}

func (c *conversation) answers() {
	for lines := bufio.NewReader(c.server); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			_ = c.client.Close() // as the server did
			return
		}
		if c.muted.Load() {
			c.line.spoil(c.client, c.server)
			return
		}
		if _, err := io.WriteString(c.client, line); err != nil {
			_ = c.server.Close() // as the client did
			return
		}
	}
}

func (c *conversation) commands() {
	data := -1 // the lines since DATA
	for lines := bufio.NewReader(c.client); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			_ = c.server.Close() // as the client did
			return
		}
		var at Place
		word := strings.TrimSpace(line)
		if data >= 0 {
			data++
		}
		switch {
		case data >= 0 && word == ".":
			at, data = AfterDot, -1
		case data == 3:
			at = InMail
		case data < 0 && word == "DATA":
			at, data = AfterData, 0
		case data < 0 && strings.HasPrefix(word, "MAIL FROM"):
			at = AtSender
		}
		if at != "" && c.line.take(at) {
			if at == InMail {
				c.line.spoil(c.client, c.server)
				return
			}
			c.muted.Store(true)
		}
		if _, err := io.WriteString(c.server, line); err != nil {
			_ = c.client.Close() // as the server did
			return
		}
	}
}
