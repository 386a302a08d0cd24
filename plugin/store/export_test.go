package store

// RegistrationSQL lets a test explain the report's statement.
var RegistrationSQL = registrationSQL
