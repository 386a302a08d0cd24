package marketplace

// CheckRedirect decides about redirects.
var CheckRedirect = checkRedirect
