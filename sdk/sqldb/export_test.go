package sqldb

// Distribute is distribute, which tests run against stand-ins for Citus' functions.
var Distribute = distribute
