package catalogue

import (
	"strings"
	"time"
	"unicode"

	"github.com/billing-addons/customer-portal/sdk"
)

// defaultBrand stands in for a colour that is missing or is none.
const defaultBrand = "#0b6b8a"

// Brand returns the biller's colour and the text colour on it as #rrggbb, safe to
// write into a stylesheet.
func Brand(b sdk.Biller) (brand, on string) {
	brand, on = strings.ToLower(b.Brand), strings.ToLower(b.OnBrand)
	if !isColour(brand) {
		return defaultBrand, "#ffffff"
	}
	if !isColour(on) {
		on = "#ffffff"
	}
	return brand, on
}

// Zone is where the biller is; UTC if it is in none that we know.
func Zone(b sdk.Biller) *time.Location {
	zone, err := time.LoadLocation(b.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Initial is the letter that stands for a biller without a logo.
func Initial(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "•"
}

// Reach tells how a biller can be reached: "both", "phone", "email" or "none".
// Texts that say whom to ask come in these four forms.
func Reach(b sdk.Biller) string {
	switch {
	case b.Phone != "" && b.Email != "":
		return "both"
	case b.Phone != "":
		return "phone"
	case b.Email != "":
		return "email"
	}
	return "none"
}

func isColour(s string) bool {
	return len(s) == 7 && s[0] == '#' && strings.Trim(s[1:], "0123456789abcdef") == ""
}
