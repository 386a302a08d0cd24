package supervisor

// SetFault makes the supervisor call f at each step of a start, an upgrade and an
// end. Call it before Run.
func (s *Supervisor) SetFault(f func(point string)) { s.fault = f }
