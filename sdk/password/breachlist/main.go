// Breachlist makes breached.bin of package password: the hashes of passwords that
// attackers try first, as far as the rules allow their length. Its arguments are
// the file to write and the lists to read, a password a line or a JSON array.
//
//	make breached
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/sdk/password"
)

func main() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: breachlist OUT LIST…"))
	}
	var prints [][]byte
	for _, name := range os.Args[2:] {
		words, err := read(name)
		if err != nil {
			fail(err)
		}
		for _, w := range words {
			if n := utf8.RuneCountInString(w); utf8.ValidString(w) && n >= password.MinLength && n <= password.MaxLength {
				prints = append(prints, password.Fingerprint(w))
			}
		}
	}
	slices.SortFunc(prints, bytes.Compare)
	prints = slices.CompactFunc(prints, bytes.Equal)
	if err := os.WriteFile(os.Args[1], bytes.Join(prints, nil), 0o644); err != nil {
		fail(err)
	}
	fmt.Println(len(prints), "passwords")
}

func read(name string) ([]string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(name, ".json") {
		return strings.Split(string(b), "\n"), nil
	}
	var words []string
	if err := json.Unmarshal(b, &words); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return words, nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "breachlist:", err)
	os.Exit(1)
}
