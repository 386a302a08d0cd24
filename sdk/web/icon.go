package web

import (
	"fmt"
	"html/template"
	"strings"
)

// Icon returns the inline SVG of an icon, 16 px grid, in the colour of the text
// around it and hidden from screen readers. class adds to "icon", for example
// "flip" for an arrow that turns in right-to-left text. An unknown name is an
// error, so that a page with a misspelt icon fails at start.
func Icon(name string, class ...string) (template.HTML, error) {
	d := drawings[name]
	if d == "" {
		return "", fmt.Errorf("no icon %q", name)
	}
	classes := template.HTMLEscapeString(strings.Join(append([]string{"icon"}, class...), " "))
	return template.HTML(`<svg class="` + classes + `" viewBox="0 0 16 16" aria-hidden="true">` + d + `</svg>`), nil
}

// HasIcon reports whether Icon knows the name.
func HasIcon(name string) bool { return drawings[name] != "" }
