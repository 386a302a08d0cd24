package sdk_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/sdk"
)

func TestSecretsDoNotReachALog(t *testing.T) {
	t.Parallel()
	env := sdk.Env{
		Database: sdk.Database{Driver: "postgres", DSN: "postgres://a:hush@db", DirectDSN: "password=hush"},
		Key:      []byte("hush"),
	}
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("started", "env", env, "database", env.Database, "pointer", &env)
	}
	for _, v := range []any{env, &env, env.Database, &env.Database} {
		fmt.Fprintf(&out, "%v %+v %#v %s\n", v, v, v, v)
	}
	if s := out.String(); strings.Contains(s, "hush") || strings.Contains(s, "104 117 115 104") || !strings.Contains(s, "postgres") {
		t.Errorf("the log holds\n%s", s)
	}
}
