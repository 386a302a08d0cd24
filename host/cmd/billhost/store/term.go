package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/jmoiron/sqlx"
	"golang.org/x/text/unicode/norm"

	"github.com/billing-addons/customer-portal/sdk"
)

const (
	maxTerm        = 64 // characters of a term that count
	maxSearchWords = 6
)

// fold makes text comparable: small letters without accents.
func fold(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.Is(unicode.Mn, c) {
			return -1
		}
		return unicode.ToLower(c)
	}, norm.NFKD.String(s))
}

// words splits folded text at everything but letters and digits.
func words(s string) []string {
	split := strings.FieldsFunc(fold(s), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	for i, w := range split {
		if r := []rune(w); len(r) > maxTerm {
			split[i] = string(r[:maxTerm])
		}
	}
	return split
}

// terms are the words under which a customer is found: those of name, display
// name, email and number, and the whole email and number.
func terms(c sdk.Customer) []string {
	all := words(strings.Join([]string{c.Name, c.DisplayName, c.Email, c.Number}, " "))
	for _, whole := range []string{c.Email, c.Number} {
		if r := []rune(fold(whole)); len(r) > 0 {
			all = append(all, string(r[:min(len(r), 254)]))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// searchWords are the prefixes that a search asks for. A word with @ or a
// hyphen is looked up whole when it may be an address or a number.
func searchWords(search string) []string {
	var out []string
	for _, typed := range strings.Fields(search) {
		if strings.ContainsRune(typed, '@') {
			out = append(out, fold(typed))
			continue
		}
		out = append(out, words(typed)...)
	}
	return out[:min(len(out), maxSearchWords)]
}

// searchSQL returns a condition on customers c for each word, and the
// parameters from number n on.
func searchSQL(search string, n int) (string, []any) {
	var where strings.Builder
	var args []any
	for _, w := range searchWords(search) {
		from, to := "$"+strconv.Itoa(n), "$"+strconv.Itoa(n+1)
		where.WriteString(`
			AND EXISTS (
				SELECT 1
				FROM customer_terms t
				WHERE t.biller_id = $1
					AND t.biller_id = c.biller_id
					AND t.customer_id = c.id
					AND t.term >= ` + from + `
					AND t.term < ` + to + `
			)`)
		args = append(args, w, w+string(unicode.MaxRune))
		n += 2
	}
	return where.String(), args
}

func deleteTerms(ctx context.Context, tx *sqlx.Tx, biller, customerID string) error {
	_, err := tx.ExecContext(ctx, `
		DELETE FROM customer_terms
		WHERE biller_id = $1
			AND customer_id = $2`, biller, customerID)
	if err != nil {
		return fmt.Errorf("delete terms: %w", err)
	}
	return nil
}

func insertTerms(ctx context.Context, tx *sqlx.Tx, biller string, c sdk.Customer) error {
	all := terms(c)
	if len(all) == 0 {
		return nil
	}
	rows := make([]string, len(all))
	args := []any{biller, c.ID}
	for i, t := range all {
		rows[i] = "($1, $" + strconv.Itoa(i+3) + ", $2)"
		args = append(args, t)
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO customer_terms (biller_id, term, customer_id)
		VALUES `+strings.Join(rows, ", "), args...)
	if err != nil {
		return fmt.Errorf("insert terms: %w", err)
	}
	return nil
}
