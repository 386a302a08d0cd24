package pages

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

// allowed names the methods of allowedMethod.
const allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// allowedMethod reports whether an add-on may be asked with the method.
func allowedMethod(m string) bool {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return true
	}
	return false
}

// requestHeader returns what an add-on hears of the client's header: nothing
// about the connection, the proxies or the platform's own sign-in. Cookies are
// added apart.
func requestHeader(in http.Header) http.Header {
	out := http.Header{}
	var named []string
	for _, line := range in.Values("Connection") {
		for name := range strings.SplitSeq(line, ",") {
			named = append(named, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	for name, values := range in {
		if !withheld(name) && !slices.Contains(named, name) {
			out[name] = slices.Clone(values)
		}
	}
	return out
}

// withheld reports whether a request header stays with the host.
func withheld(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
		"Accept-Encoding", "Authorization", "Cookie", "Forwarded", "Via", "Host", "Content-Length",
		"True-Client-Ip", "Client-Ip", "Fly-Client-Ip", "Fastly-Client-Ip":
		return true
	}
	for _, prefix := range []string{"X-Forwarded", "X-Real-", "X-Request-Id", "X-Original-", "X-Client-", "X-Cluster-", "X-Addon-", "Proxy-", "Cf-", "Cdn-", "Sec-Websocket-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return strings.Contains(name, "_")
}

// remoteIP returns the person's address: the peer's or, behind trusted proxies,
// the rightmost forwarded one that is none of them.
func remoteIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip := peer.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !isTrusted(ip, trusted) {
			return ip
		}
		next, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			return ip
		}
		ip = next
	}
	return ip
}

func parseHop(s string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(s)
	if err != nil {
		withPort, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		ip = withPort.Addr()
	}
	return ip.Unmap().WithZone(""), true
}

func isTrusted(ip netip.Addr, trusted []netip.Prefix) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// fromTrusted reports whether the peer itself is a trusted proxy.
func fromTrusted(r *http.Request, trusted []netip.Prefix) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && isTrusted(peer.Addr().Unmap().WithZone(""), trusted)
}

// userAgent returns the browser's word, cut to 256 bytes of valid text.
func userAgent(r *http.Request) string {
	ua := strings.ToValidUTF8(r.UserAgent(), "")
	if len(ua) <= 256 {
		return ua
	}
	ua = ua[:256]
	for !utf8.ValidString(ua) {
		ua = ua[:len(ua)-1]
	}
	return ua
}
