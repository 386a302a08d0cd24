package password_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/password"
)

func TestCommonPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	common := password.Common()
	if common.Len() < 3000 {
		t.Fatalf("the list has %d passwords, ASVS 6.2.4 asks for 3,000", common.Len())
	}
	for word, want := range map[string]bool{
		"1qaz2wsx3edc": true, "1QAZ2WSX3EDC": true, "q1w2e3r4t5y6": true, "123qweasdzxc": true,
		"unbelievable": true, "1qaz2wsx3ed": false, "heron lemon quiet barge": false, "": false, "violet tractor harbour": false,
	} {
		if got := common.Breached(word); got != want {
			t.Errorf("Breached(%q) = %v, want %v", word, got, want)
		}
	}
	h := password.New(password.Config{})
	if err := h.Check("1qaz2wsx3edc", "jane@acme.com", "Northwind"); !errors.Is(err, password.ErrBreached) {
		t.Errorf("Check of a common password = %v, want ErrBreached", err)
	}
}

// TestListIsInOrder: the search would miss passwords if it were not.
func TestListIsInOrder(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("breached.bin")
	if err != nil {
		t.Fatal(err)
	}
	size := len(password.Fingerprint(""))
	if len(list)%size != 0 {
		t.Fatalf("%d bytes are no whole number of fingerprints", len(list))
	}
	for i := size; i < len(list); i += size {
		if bytes.Compare(list[i-size:i], list[i:i+size]) >= 0 {
			t.Fatalf("fingerprint %d is not after the one before it", i/size)
		}
	}
}
