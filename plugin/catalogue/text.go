package catalogue

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/bojanz/currency"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"github.com/billing-addons/customer-portal/sdk"
)

// Text gives texts, dates and money in one language. Pages embed it, so that
// templates say {{$.T "home.owe"}}.
type Text struct {
	localizer *i18n.Localizer
	lang      language.Tag
	money     *currency.Formatter
	zone      *time.Location
}

// Lang is the language's tag, for <html lang>.
func (t Text) Lang() string { return t.lang.String() }

// In returns the texts with dates and times of the zone.
func (t Text) In(zone *time.Location) Text {
	t.zone = zone
	return t
}

// T returns the text of key. pairs are names and values of its placeholders. A
// key that does not exist comes back as it is.
func (t Text) T(key string, pairs ...any) string {
	return t.text(key, nil, pairs)
}

// N is T for texts that differ by number; {{.Count}} is n.
func (t Text) N(key string, n int, pairs ...any) string {
	return t.text(key, n, append([]any{"Count", n}, pairs...))
}

// Rich is T for texts that hold markup: the text and plain values are escaped,
// values of type template.HTML go in as they are.
func (t Text) Rich(key string, pairs ...any) template.HTML {
	marked := make([]any, len(pairs))
	var swaps []string
	for i, v := range pairs {
		marked[i] = v
		if markup, ok := v.(template.HTML); ok && i%2 == 1 {
			mark := "\x01" + strconv.Itoa(i) + "\x02"
			marked[i] = mark
			swaps = append(swaps, mark, string(markup))
		} else if s, ok := v.(string); ok {
			marked[i] = strings.NewReplacer("\x01", "", "\x02", "").Replace(s)
		}
	}
	escaped := template.HTMLEscapeString(t.text(key, nil, marked))
	return template.HTML(strings.NewReplacer(swaps...).Replace(escaped))
}

// Has tells whether there is a text for key.
func (t Text) Has(key string) bool {
	_, err := t.localizer.Localize(&i18n.LocalizeConfig{MessageID: key, PluralCount: 1})
	return err == nil
}

func (t Text) text(key string, count any, pairs []any) string {
	data := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		data[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	out, err := t.localizer.Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: data, PluralCount: count})
	if err != nil && out == "" {
		return key
	}
	return out
}

// Money writes an amount: "$1,208.43".
func (t Text) Money(m sdk.Money) string {
	code := m.Currency
	if code == "" {
		code = "USD"
	}
	amount, err := currency.NewAmountFromInt64(m.Minor, code)
	if err != nil {
		return strconv.FormatInt(m.Minor, 10) + " " + code
	}
	return t.money.Format(amount)
}

// Quantity writes thousandths as people do: 1500 is "1.5".
func (t Text) Quantity(milli int64) string {
	sign, whole, rest := "", strconv.FormatInt(milli/1000, 10), milli%1000
	if milli < 0 {
		sign, whole, rest = "−", strings.TrimPrefix(whole, "-"), -rest // rest is small: the least number has no positive one
	}
	part := strings.TrimRight(fmt.Sprintf("%03d", rest), "0")
	if part == "" {
		return sign + whole
	}
	return sign + whole + t.T("number.point") + part
}
