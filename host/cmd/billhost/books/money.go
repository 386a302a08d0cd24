package books

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/bojanz/currency"

	"github.com/billing-addons/customer-portal/sdk"
)

// errMoney is what ParseMoney answers for text that is no amount.
var errMoney = errors.New("this is not an amount of money")

// decimals is the number of digits after the point, 2 for USD.
func decimals(code string) (int, error) {
	n, ok := currency.GetDigits(code)
	if !ok {
		return 0, errors.New("unknown currency " + strconv.Quote(code))
	}
	return int(n), nil
}

// FormatMoney writes an amount as people of the locale read it: "$1,234.56".
// An unknown currency is written as minor units and code.
func FormatMoney(m sdk.Money, locale string) string {
	amount, err := currency.NewAmountFromInt64(m.Minor, m.Currency)
	if err != nil {
		return strconv.FormatInt(m.Minor, 10) + " " + m.Currency
	}
	return currency.NewFormatter(currency.NewLocale(locale)).Format(amount)
}

// ParseMoney reads an amount as accounting programs export it: "1234.5",
// "$1,234.56", "-12.00", "(12.00)", "USD 12". Empty is zero. The point is the
// decimal sign and the comma groups thousands.
func ParseMoney(s, code string) (sdk.Money, error) {
	digits, err := decimals(code)
	if err != nil {
		return sdk.Money{}, err
	}
	text, negative := unsign(strings.TrimSpace(s), code)
	if text == "" {
		if strings.TrimSpace(s) != "" {
			return sdk.Money{}, errMoney
		}
		return sdk.Money{Currency: code}, nil
	}
	whole, fraction, _ := strings.Cut(text, ".")
	whole, err = ungroup(whole)
	if err != nil || len(fraction) > digits || !isDigits(whole+fraction) {
		return sdk.Money{}, errMoney
	}
	minor, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", digits-len(fraction)), 10, 64)
	if err != nil || minor > math.MaxInt64/1000 {
		return sdk.Money{}, errMoney
	}
	if negative {
		minor = -minor
	}
	return sdk.Money{Minor: minor, Currency: code}, nil
}

// unsign takes sign, brackets and currency off an amount.
func unsign(s, code string) (text string, negative bool) {
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
		s, negative = s[1:len(s)-1], true
	}
	for _, cut := range []string{"-", "−"} {
		if rest, ok := strings.CutPrefix(s, cut); ok && !negative {
			s, negative = rest, true
		}
	}
	s = strings.TrimSpace(s)
	s = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(s, code), code))
	symbol, ok := currency.GetSymbol(code, currency.NewLocale("en-US"))
	if ok {
		s = strings.TrimSpace(strings.TrimPrefix(s, symbol))
	}
	if rest, ok := strings.CutPrefix(s, "-"); ok && !negative {
		s, negative = rest, true
	}
	return s, negative
}

// ungroup removes commas that stand between groups of three digits.
func ungroup(whole string) (string, error) {
	groups := strings.Split(whole, ",")
	for i, g := range groups {
		if len(groups) > 1 && (i > 0 && len(g) != 3 || i == 0 && (g == "" || len(g) > 3)) {
			return "", errMoney
		}
	}
	return strings.Join(groups, ""), nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
