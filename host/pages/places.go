package pages

// place is what requests take places of: an add-on as a whole, or, with a
// biller, the part of it that one biller may take. At most half of each is for
// requests whose body was not here whole, until they are answered: their senders
// have time.
type place struct {
	addonID, biller string
	sending         bool
}

// enter takes a place of the add-on and one of the biller's part of it. It is
// not ok when either is full; a request never waits for a place.
func (h *Handler) enter(addonID, biller string, sending bool) (leave func(), ok bool) {
	places := []place{{addonID: addonID}, {addonID: addonID, biller: biller}}
	if sending {
		places = append(places, place{addonID, "", true}, place{addonID, biller, true})
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range places {
		if h.inside[p] >= h.most(p) {
			return nil, false
		}
	}
	for _, p := range places {
		h.inside[p]++
	}
	return func() { h.leave(places) }, true
}

// most is how many requests may take a place at a time.
func (h *Handler) most(p place) int {
	n := h.MaxConcurrent
	if p.biller != "" {
		n = h.MaxPerBiller
	}
	if p.sending {
		n = max(1, n/2)
	}
	return n
}

func (h *Handler) leave(places []place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range places {
		if h.inside[p]--; h.inside[p] == 0 {
			delete(h.inside, p)
		}
	}
}
