package marketplace

// CheckRedirect decides about redirects.
var CheckRedirect = checkRedirect

// NoSpace names a full disk.
var NoSpace = noSpace
