package password_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/password"
)

func TestHashAndVerify(t *testing.T) {
	t.Parallel()
	h := password.New(password.Config{})
	hash, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash = %q, want the cost of Floor in it", hash)
	}
	again, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil || again == hash {
		t.Errorf("second hash = %q, %v, want another salt", again, err)
	}
	tests := []struct {
		name, hash, password string
		want                 bool
	}{
		{"right", hash, "correct horse battery", true},
		{"wrong", hash, "correct horse batterz", false},
		{"not truncated", hash, "correct horse battery ", false},
		{"unknown account", "", "correct horse battery", false},
		{"unknown account, empty password", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := h.Verify(t.Context(), tt.hash, tt.password)
			if err != nil || got != tt.want {
				t.Errorf("Verify = %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestVerifyKeepsOldCosts(t *testing.T) {
	t.Parallel()
	cheap := password.New(password.Config{Params: password.Params{MemoryKiB: 1024, Passes: 1, Threads: 1}})
	hash, err := cheap.Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	h := password.New(password.Config{})
	if ok, err := h.Verify(t.Context(), hash, "correct horse battery"); err != nil || !ok {
		t.Errorf("Verify of a cheaper hash = %v, %v", ok, err)
	}
	if !h.Outdated(hash) || cheap.Outdated(hash) {
		t.Error("Outdated is wrong about a cheaper hash")
	}
}

func TestVerifyRefusesMalformedHashes(t *testing.T) {
	t.Parallel()
	h := password.New(password.Config{})
	for _, hash := range []string{
		"x", "$2a$10$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA",
		"$argon2id$v=18$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=4294967295,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=0,t=0,p=0$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	} {
		if ok, err := h.Verify(t.Context(), hash, "x"); ok || err == nil || strings.Contains(err.Error(), hash) && hash != "x" {
			t.Errorf("Verify(%q) = %v, %v, want an error that does not repeat the hash", hash, ok, err)
		}
	}
}

// slow costs long enough to hold a slot while a test looks.
func slow() password.Params { return password.Params{MemoryKiB: 64 * 1024, Passes: 16, Threads: 1} }

func TestNoFreeSlot(t *testing.T) {
	t.Parallel()
	h := password.New(password.Config{Params: slow(), Slots: 1, Wait: time.Millisecond})
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[apperr.Code]int{}
	for range 8 {
		wg.Go(func() {
			_, err := h.Hash(t.Context(), "x")
			mu.Lock()
			defer mu.Unlock()
			codes[apperr.CodeOf(err)]++
		})
	}
	wg.Wait()
	if codes[""] == 0 || codes[apperr.Unavailable] == 0 || codes[""]+codes[apperr.Unavailable] != 8 {
		t.Errorf("answers = %v, want some hashes and the rest Unavailable", codes)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	free := password.New(password.Config{Slots: 1})
	for range 20 { // a free slot and a dead context race; neither may hang
		if _, err := free.Hash(ctx, "x"); err != nil && !apperr.Is(err, apperr.Unavailable) {
			t.Errorf("Hash with a dead context = %v", err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	h := password.New(password.Config{Breached: list{"correct horse battery staple": true}})
	tests := []struct {
		name, password string
		ok             bool
	}{
		{"eleven characters", "tr0ub4dor&3", false},
		{"twelve characters", "tr0ub4dor&3x", true},
		{"twelve runes, not bytes", "éèêëàâäîïôöû", true},
		{"eleven runes of many bytes", "日本語日本語日本語日本", false},
		{"128 characters", strings.Repeat("wq7!Zk2p", 16), true},
		{"129 characters", strings.Repeat("wq7!Zk2p", 16) + "x", false},
		{"spaces and any characters", "  purple ⛵ tractor  ", true},
		{"the email", "jane.doe@acme.com", false},
		{"the email in capitals", "JANE.DOE@ACME.COM", false},
		{"the local part twice", "jane.doejane.doe", false},
		{"the biller's name", "Northwind Pool Care", false},
		{"the biller's name and a year", "NorthwindPoolCare2026!", false},
		{"the product's name", "customer portal 1", false},
		{"both names", "customerportal northwindpoolcare", false},
		{"a name and more", "northwind tractor violin", true},
		{"breached", "correct horse battery staple", false},
		{"one letter", "aaaaaaaaaaaa", false},
		{"a row of keys", "qwertyuiop12", false},
		{"a known one, doubled", "passwordpassword", false},
		{"not text", "abcdefgh\xff\xfe\xfdzzzz", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := h.Check(tt.password, "jane.doe@acme.com", "Northwind Pool Care")
			if (err == nil) != tt.ok {
				t.Errorf("Check = %v, want ok %v", err, tt.ok)
			}
			if err != nil && (apperr.CodeOf(err) != apperr.Invalid || apperr.FieldsOf(err)["password"] == "") {
				t.Errorf("Check = %v, want Invalid on the field password", err)
			}
		})
	}
}

// TestCheckRefusesWordsOfTheNames: whatever is made of words of the biller's name, the
// product's and the address, the strength says so too, and what has another word may be chosen.
func TestCheckRefusesWordsOfTheNames(t *testing.T) {
	t.Parallel()
	h := password.New(password.Config{Product: []string{"Billhost", "Customer Portal"}})
	const address, biller = "amy@harborview.example", "Northwind Pool Service of HarborTown"
	for _, p := range []string{
		"northwindpool12", "Northwind2026!", "NorthwindPool2026!", "poolservice2026", "PoolService1234", "NorthwindPortal1",
		"northwindcustomer1", "N0rthw1ndPool!", "service northwind", "Service of Northwind 7", "N.o.r.t.h.w.i.n.d", "nor-thwind 2026!", "$erv1ce_P00l_2026",
		"billhostportal", "2026-Northwind-2027", "northwindnorthwind", "poolpoolpool", "towntown2026!", "harbortown2026", "n0r+hw!nd!2026", "ofofofservice",
		"northwind!service", "NORTHWIND    1", "Northwind ⛵⛵⛵⛵", "amy northwind 1", "northwindharborview",
	} {
		if err := h.Check(p, address, biller); !errors.Is(err, password.ErrName) {
			t.Errorf("%q: %v", p, err)
		}
		if got := password.Score(p, address, biller, "Billhost"); got > 1 {
			t.Errorf("%q has the strength %d", p, got)
		}
	}
	for _, p := range []string{"amyharborview1", "Harborview2026!", "amy.example.2026", "amy@h4rb0rv13w"} {
		if err := h.Check(p, address, biller); !errors.Is(err, password.ErrEmail) {
			t.Errorf("%q: %v", p, err)
		}
	}
	for _, p := range []string{
		"northwind meadow lantern blue", "pool of violet tractors", "northwindy tractor gate", "83920174552924788823",
		"serviceable otter kettle", "nor2026thwind kx", "portal tractor violin",
	} {
		if err := h.Check(p, address, biller); err != nil {
			t.Errorf("%q: %v", p, err)
		}
		if got := password.Score(p, address, biller, "Billhost"); got < 2 {
			t.Errorf("%q has the strength %d", p, got)
		}
	}
	for _, name := range []string{"", "I", "A B C", "24/7", "株式会社 水", "ÄÖÜ"} {
		if err := h.Check("83920174552924788823", address, name); err != nil {
			t.Errorf("a number at %q: %v", name, err)
		}
	}
}

func TestCheckIsQuickOnLongPasswords(t *testing.T) {
	t.Parallel()
	h := password.New(password.Config{})
	start := time.Now()
	_ = h.Check(strings.Repeat("a1B2c3D4", 16), "j@x.com", "X") // only its time matters
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("Check took %v", d)
	}
}

type list map[string]bool

func (l list) Breached(p string) bool { return l[p] }
