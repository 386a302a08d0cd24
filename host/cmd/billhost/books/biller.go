package books

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// CustomerPath is the platform's page of a customer, with "{id}" in it.
const CustomerPath = "/admin/customers/{id}"

var slugForm = regexp.MustCompile(`^[a-z][a-z0-9-]{1,38}[a-z0-9]$`)

// reserved words would read like a part of the platform in an address.
func reserved() []string {
	return []string{
		"admin", "addon", "addons", "addon-static", "api", "app", "assets", "billhost", "billing", "dev",
		"healthz", "help", "host", "login", "mail", "marketplace", "metrics", "portal", "public",
		"readyz", "root", "sign-in", "sign-out", "static", "status", "support", "system", "www",
	}
}

// CheckBiller fills what was left out of a new biller and checks the rest.
// Errors: Invalid with the fields name, slug, brand, time_zone and currency.
func CheckBiller(b sdk.Biller) (sdk.Biller, error) {
	wrong := fields{}
	b.Name = Squeeze(b.Name)
	if b.Name == "" {
		wrong.add("name", "Enter a name.")
	}
	wrong.text("name", b.Name, maxName)
	if !slugForm.MatchString(b.Slug) {
		wrong.add("slug", "Use 3 to 40 small letters, digits and hyphens, beginning with a letter.")
	}
	if slices.Contains(reserved(), b.Slug) {
		wrong.add("slug", "This word is reserved; choose another.")
	}
	b.Brand = orElse(b.Brand, "#1f2a37")
	onBrand, err := onBrand(b.Brand)
	if err != nil {
		wrong.add("brand", "Write the colour as #rrggbb.")
	}
	b.OnBrand = onBrand
	b.TimeZone = orElse(b.TimeZone, "America/New_York")
	if _, err := time.LoadLocation(b.TimeZone); err != nil {
		wrong.add("time_zone", "This is not a time zone such as America/New_York.")
	}
	b.Locale = orElse(b.Locale, "en-US")
	b.Currency = orElse(b.Currency, "USD")
	if _, err := decimals(b.Currency); err != nil {
		wrong.add("currency", "This is not a currency code such as USD.")
	}
	return b, wrong.err("The biller was not saved.")
}

// onBrand is the text colour on a brand colour (look/README.md).
func onBrand(brand string) (string, error) {
	if len(brand) != 7 || brand[0] != '#' {
		return "", apperr.Errorf(apperr.Invalid, "not a colour")
	}
	rgb, err := strconv.ParseUint(brand[1:], 16, 32)
	if err != nil {
		return "", fmt.Errorf("parse colour: %w", err)
	}
	linear := func(shift uint) float64 {
		c := float64(rgb>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	if .2126*linear(16)+.7152*linear(8)+.0722*linear(0) <= .1833 {
		return "#ffffff", nil
	}
	return "#000000", nil
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
