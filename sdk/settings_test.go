package sdk_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/sdk"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	words := []string{"a", "b"}
	s := sdk.NewSettings(map[string]any{"heading": "", "count": int64(3), "on": true, "words": words, "float": 1.5, "int": 1}, map[string]string{"token": "s3cret"})
	words[0] = "changed"
	s.List("words")[1] = "changed"
	if s.Text("heading") != "" || s.Number("count") != 3 || !s.Switch("on") || strings.Join(s.List("words"), ",") != "a,b" || s.Secret("token") != "s3cret" {
		t.Errorf("got %v", s.Values())
	}
	for key, want := range map[string]bool{"heading": true, "count": true, "token": true, "float": false, "int": false, "other": false} {
		if s.Has(key) != want {
			t.Errorf("Has(%s) is %v", key, !want)
		}
	}
	if s.Text("count") != "" || s.Number("heading") != 0 || s.Text("token") != "" || s.List("other") != nil {
		t.Error("a getter answers for another type")
	}
	if zero := sdk.SettingsFrom(t.Context()); zero.Has("heading") || zero.Text("heading") != "" {
		t.Error("a context without settings has some")
	}
	if got := sdk.SettingsFrom(sdk.WithSettings(t.Context(), s)); got.Number("count") != 3 {
		t.Errorf("got %v", got.Values())
	}
}

func TestSettingsKeepTheirSecrets(t *testing.T) {
	t.Parallel()
	s := sdk.NewSettings(nil, map[string]string{"token": "s3cret"})
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "settings", s, "in", struct{ S sdk.Settings }{s})
	text := fmt.Sprintf("%v %+v %#v %s %q %d %v %s", s, s, s, s, s, s, &s, log.String())
	if strings.Contains(text, "s3cret") {
		t.Error(text)
	}
}
