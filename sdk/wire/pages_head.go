package wire

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/pb"
)

func requestHead(p PageRequest) *pb.RequestHead {
	r := p.Request
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	scheme := r.URL.Scheme
	if scheme == "" {
		scheme = "http"
		if r.TLS != nil || strings.HasPrefix(p.Call.BaseURL, "https:") {
			scheme = "https"
		}
	}
	head := &pb.RequestHead{
		Surface:       pb.Surface(p.Surface),
		Call:          callToPB(p.Call, p.Token),
		Method:        r.Method,
		Path:          path,
		RawQuery:      escapeQuery(r.URL.RawQuery),
		Authority:     text(r.Host),
		Scheme:        scheme,
		Headers:       headerToPB(r.Header),
		ContentLength: r.ContentLength,
	}
	if p.Biller != nil {
		head.Biller = billerToPB(*p.Biller)
	}
	return head
}

// escapeQuery percent-encodes bytes that a browser should have encoded.
func escapeQuery(q string) string {
	ascii := func(s string) bool {
		for i := range len(s) {
			if s[i] <= ' ' || s[i] >= 0x7f {
				return false
			}
		}
		return true
	}
	if ascii(q) {
		return q
	}
	var b strings.Builder
	for i := range len(q) {
		if ascii(q[i : i+1]) {
			b.WriteByte(q[i])
		} else {
			b.WriteString(url.QueryEscape(q[i : i+1]))
		}
	}
	return b.String()
}

func headerToPB(h http.Header) []*pb.Header {
	to := make([]*pb.Header, 0, len(h))
	for k, vs := range h {
		valid := make([]string, len(vs))
		for i, v := range vs {
			valid[i] = text(v)
		}
		to = append(to, &pb.Header{Key: text(k), Values: valid})
	}
	return to
}

func headerFromPB(hs []*pb.Header) http.Header {
	to := make(http.Header, len(hs))
	for _, h := range hs {
		k := http.CanonicalHeaderKey(h.GetKey())
		to[k] = append(to[k], h.GetValues()...)
	}
	return to
}
