package mail

// Waiting counts those who wait for a connection.
func (s *Sender) Waiting() int {
	s.pool.gate.mu.Lock()
	defer s.pool.gate.mu.Unlock()
	return len(s.pool.gate.waiting)
}
