package notice

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// minToken is the shortest feed token that is hard to guess, in characters.
const minToken = 16

// Board is how a biller wants its notices shown: the settings of manifest.yaml.
type Board struct {
	// Heading stands above the notices; empty means the biller's name.
	Heading string
	// Most is how many notices customers see at once.
	Most int
	// NewestFirst puts what was written last on top; else what ends soonest.
	NewestFirst bool
	// Dates shows customers the last day of a notice.
	Dates bool
	// FeedToken opens the feed; empty means that there is none.
	FeedToken string
	// RefusedWords must not stand in a notice.
	RefusedWords []string
}

// NewBoard reads the settings.
func NewBoard(s sdk.Settings) Board {
	return Board{
		Heading:      s.Text("heading"),
		Most:         int(s.Number("shown")),
		NewestFirst:  s.Text("order") == "newest",
		Dates:        s.Switch("dates"),
		FeedToken:    s.Secret("feed_token"),
		RefusedWords: s.List("refused_words"),
	}
}

// Check returns Invalid with the keys of the settings that the manifest's rules
// cannot judge.
func (b Board) Check() error {
	wrong := map[string]string{}
	if b.FeedToken != "" && utf8.RuneCountInString(b.FeedToken) < minToken {
		wrong["feed_token"] = "Use 16 characters or more, so that nobody guesses it."
	}
	if word := b.refused(b.Heading); word != "" {
		wrong["heading"] = "This has “" + word + "” in it, which is one of the words not to use."
	}
	if len(wrong) == 0 {
		return nil
	}
	return &apperr.Error{Code: apperr.Invalid, Message: "These settings do not go together.", Fields: wrong}
}

// Accept returns Invalid, with the field text, for a notice with a refused word.
func (b Board) Accept(n Notice) error {
	if word := b.refused(n.Text); word != "" {
		return apperr.Field("text", "“"+word+"” is one of the words not to use.")
	}
	return nil
}

// refused returns the first refused word in a text, whatever its case; "" if it has
// none. A part of another word does not count.
func (b Board) refused(text string) string {
	words := " " + strings.Join(strings.FieldsFunc(strings.ToLower(text), noLetter), " ") + " "
	for _, word := range b.RefusedWords {
		bare := strings.Join(strings.FieldsFunc(strings.ToLower(word), noLetter), " ")
		if bare != "" && strings.Contains(words, " "+bare+" ") {
			return word
		}
	}
	return ""
}

func noLetter(r rune) bool {
	return strings.ContainsRune(" \t\r\n.,;:!?()[]\"'“”„‚‘’«»–—/-", r)
}

// Today returns what customers see on the day, in order.
func (b Board) Today(notices []Notice, today string) []Notice {
	list := slices.DeleteFunc(slices.Clone(notices), func(n Notice) bool { return !n.Shown(today) })
	slices.SortStableFunc(list, func(x, y Notice) int {
		if b.NewestFirst {
			return cmp.Compare(y.ID, x.ID) // ids begin with the time
		}
		return cmp.Or(cmp.Compare(x.LastDay, y.LastDay), cmp.Compare(x.ID, y.ID))
	})
	return list[:min(len(list), max(b.Most, 1))]
}
