package password_test

import (
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk/password"
)

func TestScore(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		password    string
		known       []string
		least, most int
	}{
		{"", nil, 0, 0},
		{"password1234", nil, 0, 1},
		{"northwind", []string{"dana@harbor.example", "Northwind Pool Service"}, 0, 0},
		{"violet tractor harbour", nil, 3, 4},
		{strings.Repeat("ж", 200), nil, 0, 4},
		{"\xff\xfe", nil, 0, 4},
	} {
		if got := password.Score(tc.password, tc.known...); got < tc.least || got > tc.most {
			t.Errorf("%.20q: %d, want %d to %d", tc.password, got, tc.least, tc.most)
		}
	}
	began := time.Now()
	password.Score(strings.Repeat("aB3$", 250_000))
	if time.Since(began) > 10*time.Second {
		t.Error("a long password takes long")
	}
}
