package pages

import (
	"regexp"
	"slices"
)

// verdict says what happens to an element.
type verdict int

const (
	// unwrap keeps what is inside an element that means nothing here.
	unwrap verdict = iota
	keep
	drop
)

// judge returns the verdict on an element. Anything unknown loses its tag; what
// could load, run or restyle goes with all that is in it.
func judge(namespace, tag string) verdict {
	switch namespace {
	case "":
		switch {
		case isHTMLTag(tag):
			return keep
		case isHarmful(tag):
			return drop
		}
		return unwrap
	case "svg":
		if isSVGTag(tag) {
			return keep
		}
	}
	return drop
}

func isHTMLTag(tag string) bool {
	switch tag {
	case "a", "abbr", "address", "article", "aside", "b", "bdi", "bdo", "blockquote", "br", "button", "caption",
		"cite", "code", "col", "colgroup", "data", "datalist", "dd", "del", "details", "dfn", "div", "dl", "dt",
		"em", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
		"hr", "i", "img", "input", "ins", "kbd", "label", "legend", "li", "mark", "meter", "nav", "ol", "optgroup",
		"option", "output", "p", "pre", "progress", "q", "s", "samp", "search", "section", "select", "small",
		"span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "textarea", "tfoot", "th", "thead",
		"time", "tr", "u", "ul", "var", "wbr":
		return true
	}
	return false
}

func isHarmful(tag string) bool {
	switch tag {
	case "applet", "audio", "base", "canvas", "dialog", "embed", "frame", "frameset", "head", "iframe", "link",
		"map", "math", "meta", "noembed", "noframes", "noscript", "object", "param", "picture", "plaintext",
		"portal", "script", "slot", "source", "style", "template", "title", "track", "video", "xmp":
		return true
	}
	return false
}

func isSVGTag(tag string) bool {
	switch tag {
	case "svg", "g", "path", "rect", "circle", "line", "polyline", "text", "title", "desc":
		return true
	}
	return false
}

// plainAttrs lists the attributes an element may carry with any text in them.
func plainAttrs(tag string) []string {
	switch tag {
	case "a":
		return []string{"download", "hreflang"}
	case "button":
		return []string{"name", "value", "disabled", "formnovalidate", "hidden"}
	case "col", "colgroup":
		return []string{"span"}
	case "data", "li":
		return []string{"value"}
	case "del", "ins", "time":
		return []string{"datetime"}
	case "details":
		return []string{"open", "name"}
	case "fieldset":
		return []string{"disabled"}
	case "form":
		return []string{"autocomplete", "novalidate"}
	case "img":
		return []string{"alt", "width", "height", "loading"}
	case "input":
		return []string{"name", "value", "checked", "required", "min", "max", "step", "minlength", "maxlength",
			"pattern", "placeholder", "autocomplete", "autocapitalize", "spellcheck", "inputmode", "size", "multiple", "readonly", "disabled"}
	case "meter", "progress":
		return []string{"value", "min", "max", "low", "high", "optimum"}
	case "ol":
		return []string{"start", "reversed"}
	case "optgroup", "option":
		return []string{"value", "label", "selected", "disabled"}
	case "select":
		return []string{"name", "required", "multiple", "size", "disabled", "autocomplete"}
	case "td", "th":
		return []string{"colspan", "rowspan", "scope", "abbr"}
	case "textarea":
		return []string{"name", "rows", "cols", "minlength", "maxlength", "required", "placeholder", "readonly",
			"disabled", "autocomplete"}
	}
	return nil
}

// isInputType reports whether an <input> may be of this kind; others are dropped.
func isInputType(kind string) bool {
	switch kind {
	case "checkbox", "date", "datetime-local", "email", "hidden", "month", "number", "password", "radio",
		"range", "reset", "search", "submit", "tel", "text", "time", "url", "week":
		return true
	}
	return false
}

// references reports whether the attribute holds ids of other elements.
func references(tag, attr string) bool {
	switch attr {
	case "aria-labelledby", "aria-describedby", "aria-controls", "aria-owns", "aria-details",
		"aria-activedescendant", "aria-errormessage", "aria-flowto":
		return true
	case "for":
		return tag == "label" || tag == "output"
	case "headers":
		return tag == "td" || tag == "th"
	case "list":
		return tag == "input"
	case "form":
		return slices.Contains([]string{"button", "fieldset", "input", "output", "select", "textarea"}, tag)
	}
	return false
}

// global reports whether any element may carry the attribute with this value.
func global(attr, value string) bool {
	switch attr {
	case "class":
		return classNames.MatchString(value)
	case "lang", "title", "role", "data-label", "data-copied":
		return true
	case "dir":
		return value == "ltr" || value == "rtl" || value == "auto"
	case "tabindex":
		return value == "0" || value == "-1"
	}
	return ariaName.MatchString(attr)
}

func isSVGAttr(attr string) bool {
	switch attr {
	case "cx", "cy", "d", "dominant-baseline", "dx", "dy", "fill", "fill-opacity", "fill-rule", "focusable",
		"font-size", "font-weight", "height", "opacity", "points", "preserveAspectRatio", "r", "rx", "ry", "stroke",
		"stroke-dasharray", "stroke-linecap", "stroke-linejoin", "stroke-opacity", "stroke-width", "text-anchor",
		"transform", "viewBox", "width", "x", "x1", "x2", "y", "y1", "y2":
		return true
	}
	return false
}

var (
	classNames = regexp.MustCompile(`^[A-Za-z0-9_ \t\r\n-]*$`)
	ariaName   = regexp.MustCompile(`^aria-[a-z]+$`)
	idName     = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,100}$`)
	// svgValue refuses url(), which could load something.
	svgValue     = regexp.MustCompile(`^(var\(--[a-z-]+\)|[A-Za-z0-9#.,%+ \t\r\n-]*)$`)
	svgTransform = regexp.MustCompile(`^((translate|scale|rotate|skewX|skewY|matrix)\([0-9., +-]*\)\s*)*$`)
)
