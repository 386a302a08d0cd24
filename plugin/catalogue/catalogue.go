// Package catalogue holds every text of the portal that people read, on pages
// and in mails, and writes dates and money as the reader's language does.
//
// The texts live in <area>.<language>.json, in the format of go-i18n; English is
// complete and stands in for what another language lacks.
package catalogue

import (
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/bojanz/currency"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed *.json
var files embed.FS

// Catalogue is all texts in all languages. It is safe for concurrent use.
type Catalogue struct {
	bundle  *i18n.Bundle
	tags    []language.Tag
	matcher language.Matcher
}

// Load reads the embedded texts. An error means a broken build.
func Load() (*Catalogue, error) {
	bundle := i18n.NewBundle(language.English)
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil, fmt.Errorf("find texts: %w", err)
	}
	for _, name := range names {
		if _, err := bundle.LoadMessageFileFS(files, name); err != nil {
			return nil, fmt.Errorf("read texts %s: %w", name, err)
		}
	}
	tags := bundle.LanguageTags()
	return &Catalogue{bundle: bundle, tags: tags, matcher: language.NewMatcher(tags)}, nil
}

// Text returns the texts in the language nearest to locale, a BCP 47 tag.
// Dates are those of UTC until In names a zone.
func (c *Catalogue) Text(locale string) Text {
	want, _ := language.MatchStrings(c.matcher, locale)
	_, i, _ := c.matcher.Match(want)
	lang := c.tags[i]
	place := locale
	if place == "" {
		place = lang.String()
	}
	return Text{
		localizer: i18n.NewLocalizer(c.bundle, lang.String()),
		lang:      lang,
		money:     currency.NewFormatter(currency.NewLocale(place)),
		zone:      time.UTC,
	}
}
