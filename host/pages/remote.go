package pages

import (
	"net/http"
	"net/netip"
)

// RemoteIP returns the address of the person who asks: the peer's, or, behind
// trusted proxies, the rightmost forwarded one that is no trusted proxy. Invalid
// if the request has none.
func RemoteIP(r *http.Request, trusted []netip.Prefix) netip.Addr { return remoteIP(r, trusted) }
