package books_test

import (
	"testing"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestParseMoney(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"": 0, "0": 0, "12": 1200, "12.5": 1250, "$1,234.56": 123456, "1234.56": 123456, "-12.00": -1200, "(12.00)": -1200,
		"$(12.00)": -1, "($1,012.00)": -101200, "-$5.10": -510, "$-5.10": -510, "USD 7.00": 700, "7.00 USD": 700, ".50": 50, " 3 ": 300,
		"1,23": -1, "1,2345": -1, ",123": -1, "1.234": -1, "abc": -1, "$": -1, "--1": -1, "1e3": -1, "9999999999999999999": -1, "NaN": -1, "()": -1,
	} {
		got, err := books.ParseMoney(text, "USD")
		if want == -1 {
			if err == nil {
				t.Errorf("ParseMoney(%q) = %d, want an error", text, got.Minor)
			}
			continue
		}
		if err != nil || got.Minor != want || got.Currency != "USD" {
			t.Errorf("ParseMoney(%q) = %v, %v; want %d", text, got, err, want)
		}
	}
	if got, err := books.ParseMoney("1,500", "JPY"); err != nil || got.Minor != 1500 {
		t.Errorf("yen: %v, %v", got, err)
	}
}

func TestFormatMoney(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]sdk.Money{
		"$1,234.56": {Minor: 123456, Currency: "USD"}, "-$0.05": {Minor: -5, Currency: "USD"}, "¥1,500": {Minor: 1500, Currency: "JPY"}, "7 ": {Minor: 7},
	} {
		if got := books.FormatMoney(m, "en-US"); got != want {
			t.Errorf("FormatMoney(%v) = %q, want %q", m, got, want)
		}
	}
}

func TestCheckBiller(t *testing.T) {
	t.Parallel()
	for field, b := range map[string]sdk.Biller{
		"name": {Slug: "abc"}, "slug": {Name: "N", Slug: "portal"}, "brand": {Name: "N", Slug: "abc", Brand: "red"},
		"time_zone": {Name: "N", Slug: "abc", TimeZone: "Mars"}, "currency": {Name: "N", Slug: "abc", Currency: "ZZZ"}, "": {Name: "N", Slug: "abc"},
	} {
		_, err := books.CheckBiller(b)
		if got := apperr.FieldsOf(err)[field]; (got == "") != (field == "") {
			t.Errorf("%s: %v, fields %v", field, err, apperr.FieldsOf(err))
		}
	}
	for brand, on := range map[string]string{"#0b6b8a": "#ffffff", "#ffd400": "#000000", "#000000": "#ffffff", "#f4f4f4": "#000000"} {
		if b, err := books.CheckBiller(sdk.Biller{Name: "N", Slug: "abc", Brand: brand}); err != nil || b.OnBrand != on {
			t.Errorf("text on %s: %s, %v", brand, b.OnBrand, err)
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for role, want := range map[books.Role]int{books.Operator: 5, books.Owner: 4, books.Manager: 2, books.Viewer: 1, "none": 0} {
		if got := len(role.Abilities()); got != want {
			t.Errorf("%s has %d abilities, want %d", role, got, want)
		}
	}
	if books.Viewer.CanEdit() || !books.Manager.CanEdit() {
		t.Error("managers edit, viewers do not")
	}
}
