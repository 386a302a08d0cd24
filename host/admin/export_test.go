package admin

// Document turns an add-on's Markdown into HTML for its page.
var Document = document

// Routes are the patterns of all pages with the ability that each takes.
func (h *Handler) Routes() map[string]string {
	all := map[string]string{}
	for _, r := range h.routes() {
		all[r.method+" "+r.path] = r.ability
	}
	return all
}
