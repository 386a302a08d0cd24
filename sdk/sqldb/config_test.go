package sqldb_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, driver, dsn string }{
		{"url", "postgres://u:p%40@h:5433/d?sslmode=disable", sqldb.Postgres, "postgres://u:p%40@h:5433/d?binary_parameters=yes&sslmode=disable&timezone=UTC"},
		{"long scheme", "postgresql://h/d", sqldb.Postgres, "postgresql://h/d?binary_parameters=yes&timezone=UTC"},
		{"search path and time zone stay", "postgres://h/d?search_path=x&TimeZone=Asia/Tokyo", sqldb.Postgres, "postgres://h/d?TimeZone=Asia%2FTokyo&binary_parameters=yes&search_path=x"},
		{"binary_parameters=no is corrected", "postgres://h/d?binary_parameters=no", sqldb.Postgres, "postgres://h/d?binary_parameters=yes&timezone=UTC"},
		{"socket url", "postgres:///d?host=/run/pg", sqldb.Postgres, "postgres:///d?binary_parameters=yes&host=%2Frun%2Fpg&timezone=UTC"},
		{"keywords", ` host=a,b port=5432,5433 dbname = 'my db' password='it\'s\\' `, sqldb.Postgres, `host='a,b' port='5432,5433' dbname='my db' password='it\'s\\' binary_parameters='yes' timezone='UTC'`},
		{"empty quoted value", `host=h password='' dbname=d`, sqldb.Postgres, `host='h' password='' dbname='d' binary_parameters='yes' timezone='UTC'`},
		{"sqlite prefix", "sqlite:/var/lib/a=b.db", sqldb.SQLite, "/var/lib/a=b.db"},
		{"path", "data/x.db", sqldb.SQLite, "data/x.db"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := sqldb.Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sqldb.Config{Driver: tt.driver, DSN: tt.dsn}, got); diff != "" {
				t.Error(diff)
			}
			again, err := sqldb.Parse(tt.dsn)
			if tt.driver == sqldb.Postgres && (err != nil || again != got) {
				t.Errorf("parsing the result again gives %v, %v", again, err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "  ", "sqlite:", "mysql://u:hunter2@h/d",
		"postgres://u:hunter2@a:1,b:2/d", "postgres://u:hunter2%@h/d", "postgres://u:hunter2@h/d?sslmode=maybe",
		"host=h password='hunter2", "host=h password=hunter2 port=x", "host=h hunter2",
	} {
		_, err := sqldb.Parse(in)
		if !apperr.Is(err, apperr.Invalid) {
			t.Errorf("Parse(%q) = %v, want Invalid", in, err)
		}
		assertOneSafeLine(t, err)
	}
}

func TestWithDirect(t *testing.T) {
	t.Parallel()
	cfg, err := sqldb.Parse("host=bouncer dbname=d")
	if err != nil {
		t.Fatal(err)
	}
	if same, err := cfg.WithDirect(""); err != nil || same != cfg {
		t.Errorf("WithDirect of nothing = %v, %v", same, err)
	}
	both, err := cfg.WithDirect("host=server dbname=d")
	if err != nil || both.DSN != cfg.DSN || both.DirectDSN != "host='server' dbname='d' binary_parameters='yes' timezone='UTC'" {
		t.Errorf("WithDirect = %v, %v", both, err)
	}
	if _, err := cfg.WithDirect("x.db"); !apperr.Is(err, apperr.Invalid) {
		t.Errorf("WithDirect of a file = %v, want Invalid", err)
	}
	other, err := both.Database("e")
	if err != nil || other.DSN != "host='bouncer' dbname='e' binary_parameters='yes' timezone='UTC'" {
		t.Errorf("Database = %v, %v", other, err)
	}
}

func TestConfigIsNotPrinted(t *testing.T) {
	t.Parallel()
	cfg := sqldb.Config{Driver: sqldb.Postgres, DSN: "postgres://a:hush@db", DirectDSN: "password=hush"}
	var out strings.Builder
	fmt.Fprintf(&out, "%v %+v %#v %s %v", cfg, cfg, cfg, cfg, &cfg)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("opened", "config", cfg)
	if strings.Contains(out.String(), "hush") || !strings.Contains(out.String(), "postgres") {
		t.Errorf("printed %s", out.String())
	}
}
