package sqldb

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/lib/pq"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Names of the two supported drivers, as Config.Driver and sqlx's DriverName give them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Config says where a database is. The zero value is not usable; make one with Parse.
type Config struct {
	// Driver is SQLite or Postgres.
	Driver string
	// DSN is the file path on SQLite. On PostgreSQL it is a URL or a keyword
	// string, and may point at PgBouncer in transaction mode. It holds a password:
	// never log it.
	DSN string
	// DirectDSN reaches the PostgreSQL server itself, for LISTEN and migrations.
	// Empty means the same as DSN. Unused on SQLite.
	DirectDSN string
	// MaxConns bounds the pool on PostgreSQL and the reader pool on SQLite; 0 means 20 and 4.
	MaxConns int
}

// Format prints the driver, never an address, which may hold a password.
func (c Config) Format(f fmt.State, _ rune) {
	// Whom it fails for gets nothing.
	_, _ = io.WriteString(f, c.hidden())
}

// LogValue is what a log gets: the driver.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.hidden()) }

func (c Config) hidden() string { return "sqldb.Config(" + c.Driver + ", secret)" }

var keywordDSN = regexp.MustCompile(`^\s*[a-z_]+\s*=`)

// Parse reads a database address: postgres://…, postgresql://…, a PostgreSQL
// keyword string (host=… dbname=…), sqlite:path or the path of an SQLite file.
// PostgreSQL addresses gain binary_parameters=yes, without which PgBouncer hands
// out other clients' answers, and timezone=UTC if they name no time zone; all
// else, sslmode and search_path included, stays as given. It fails with Invalid;
// the message never repeats the address, which may hold a password.
func Parse(address string) (Config, error) {
	address = strings.TrimSpace(address)
	switch {
	case address == "" || address == "sqlite:":
		return Config{}, apperr.Errorf(apperr.Invalid, "The database address is empty.")
	case isURL(address), keywordDSN.MatchString(address):
		dsn, err := prepare(address)
		if err != nil {
			return Config{}, err
		}
		return Config{Driver: Postgres, DSN: dsn}, nil
	case strings.Contains(address, "://"):
		return Config{}, apperr.Errorf(apperr.Invalid, "The database address must start with postgres:// or sqlite:, or be a file path.")
	}
	return Config{Driver: SQLite, DSN: strings.TrimPrefix(address, "sqlite:")}, nil
}

// WithDirect returns c with its direct address parsed like Parse does; an empty
// address leaves c as it is. It fails with Invalid.
func (c Config) WithDirect(address string) (Config, error) {
	if strings.TrimSpace(address) == "" {
		return c, nil
	}
	d, err := Parse(address)
	if err != nil {
		return Config{}, err
	}
	if c.Driver != Postgres || d.Driver != Postgres {
		return Config{}, apperr.Errorf(apperr.Invalid, "A direct database address is for PostgreSQL only.")
	}
	c.DirectDSN = d.DSN
	return c, nil
}

// direct returns the configuration whose DSN reaches the server itself.
func (c Config) direct() Config {
	if c.DirectDSN != "" {
		c.DSN = c.DirectDSN
	}
	return c
}

// as returns c for another user of the same server and database, whose
// search_path is the one the server keeps for that user.
func (c Config) as(user, password string) (Config, error) {
	set := map[string]string{"user": user, "password": password, "search_path": "", "options": ""}
	var err error
	if c.DSN, err = setParams(c.DSN, set); err != nil {
		return Config{}, err
	}
	if c.DirectDSN != "" {
		c.DirectDSN, err = setParams(c.DirectDSN, set)
	}
	return c, err
}

// Database returns c for another database of the same PostgreSQL server.
// It fails with Invalid if the DSN is malformed.
func (c Config) Database(name string) (Config, error) {
	var err error
	if c.DSN, err = setParams(c.DSN, map[string]string{"dbname": name}); err != nil {
		return Config{}, err
	}
	if c.DirectDSN != "" {
		c.DirectDSN, err = setParams(c.DirectDSN, map[string]string{"dbname": name})
	}
	return c, err
}

func isURL(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

func prepare(dsn string) (string, error) {
	dsn, err := setParams(dsn, map[string]string{"binary_parameters": "yes"})
	if err != nil {
		return "", err
	}
	cfg, err := pq.NewConfig(dsn)
	if err != nil {
		return "", errBadAddress()
	}
	for name := range cfg.Runtime {
		if strings.EqualFold(name, "timezone") {
			return dsn, nil
		}
	}
	return setParams(dsn, map[string]string{"timezone": "UTC"})
}

func errBadAddress() error {
	return apperr.Errorf(apperr.Invalid, "The PostgreSQL address is malformed. Special characters in the password of a URL must be percent-encoded; several hosts need the keyword form (host=a,b port=5432,5432).")
}

// setParams returns dsn, in the form it came in, with parameters replaced; an
// empty value removes one.
func setParams(dsn string, set map[string]string) (string, error) {
	if isURL(dsn) {
		return setURLParams(dsn, set)
	}
	params, err := keywords(dsn)
	if err != nil {
		return "", err
	}
	set = maps.Clone(set)
	var parts []string
	for _, p := range params {
		value, replaced := set[p[0]]
		switch {
		case !replaced:
			parts = append(parts, p[0]+"="+quote(p[1]))
		case value != "":
			parts = append(parts, p[0]+"="+quote(value))
			set[p[0]] = "" // once
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if set[name] != "" {
			parts = append(parts, name+"="+quote(set[name]))
		}
	}
	return strings.Join(parts, " "), nil
}

func setURLParams(dsn string, set map[string]string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil || strings.Contains(u.Host, ",") {
		return "", errBadAddress() // the cause quotes the password
	}
	q := u.Query()
	for name, value := range set {
		q.Del(name)
		switch {
		case name == "user":
			u.User = url.UserPassword(value, set["password"])
		case name == "password":
		case name == "dbname":
			u.Path = "/" + value
		case value != "":
			q.Set(name, value)
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func quote(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// keywords splits a keyword connection string, in which values may be quoted
// and backslash escapes the next character.
func keywords(dsn string) ([][2]string, error) {
	var params [][2]string
	for rest := strings.TrimSpace(dsn); rest != ""; rest = strings.TrimSpace(rest) {
		name, value, ok := strings.Cut(rest, "=")
		if !ok {
			return nil, errBadAddress()
		}
		v, after, err := keywordValue(strings.TrimLeft(value, " \t\n"))
		if err != nil {
			return nil, errBadAddress()
		}
		params = append(params, [2]string{strings.TrimSpace(name), v})
		rest = after
	}
	return params, nil
}

func keywordValue(s string) (value, rest string, err error) {
	quoted := strings.HasPrefix(s, "'")
	if quoted {
		s = s[1:]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case quoted && c == '\'', !quoted && strings.IndexByte(" \t\n", c) >= 0:
			return b.String(), s[i+1:], nil
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", "", errors.New("unterminated quote")
	}
	return b.String(), "", nil
}
