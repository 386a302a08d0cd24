// Package rpc offers the portal's use-cases to platforms that call them without
// pages: the capabilities invite, signup, report and events, and the hooks of
// billers. Each adapter turns sdk's types into the portal's and back.
package rpc
