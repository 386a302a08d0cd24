package pages

// place is what requests take places of: an add-on as a whole, or, with a
// biller, the part of it that one biller may take.
type place struct{ addonID, biller string }

// enter takes a place of the add-on and one of the biller's part of it. It is
// not ok when either is full; a request never waits for a place.
func (h *Handler) enter(addonID, biller string) (leave func(), ok bool) {
	whole, part := place{addonID: addonID}, place{addonID, biller}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inside[whole] >= h.MaxConcurrent || h.inside[part] >= h.MaxPerBiller {
		return nil, false
	}
	h.inside[whole]++
	h.inside[part]++
	return func() { h.leave(whole, part) }, true
}

func (h *Handler) leave(places ...place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range places {
		if h.inside[p]--; h.inside[p] == 0 {
			delete(h.inside, p)
		}
	}
}
