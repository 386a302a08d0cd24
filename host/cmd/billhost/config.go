package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// Config is everything that can be set, as flags and in the environment; a flag
// wins. Secrets have a twin that names a file.
type Config struct {
	ListenAddr        string   `env:"LISTEN_ADDR" default:"127.0.0.1:8080" help:"Address to listen on; port 0 takes a free one."`
	DataDir           string   `env:"DATA_DIR" default:".data" help:"Folder for the SQLite files, the secret and the add-ons."`
	Packages          string   `env:"PACKAGES_DIR" help:"Folder of the add-on packages on offer; must exist if given; packages below DATA_DIR by default."`
	DatabaseURL       string   `env:"DATABASE_URL" help:"PostgreSQL address; without it, SQLite in DATA_DIR. May lead through PgBouncer."`
	DatabaseURLFile   string   `env:"DATABASE_URL_FILE" help:"File that holds DATABASE_URL."`
	DatabaseDirectURL string   `env:"DATABASE_DIRECT_URL" help:"Address past PgBouncer, for migrations and notifications."`
	DatabaseDirectF   string   `name:"database-direct-url-file" env:"DATABASE_DIRECT_URL_FILE" help:"File that holds DATABASE_DIRECT_URL."`
	SMTPURL           string   `name:"smtp-url" env:"SMTP_URL" help:"Mail server: smtp://user:password@host:587 or smtps://…:465."`
	SMTPURLFile       string   `name:"smtp-url-file" env:"SMTP_URL_FILE" help:"File that holds SMTP_URL."`
	MailFrom          string   `env:"MAIL_FROM" help:"Sender of every mail; no-reply at the host of BASE_URL by default."`
	BaseURL           string   `env:"BASE_URL" help:"Origin of the staff pages: https://billing.example.com."`
	PortalBaseURL     string   `env:"PORTAL_BASE_URL" help:"Origin of the customers' pages, on another host name."`
	TLSCertFile       string   `name:"tls-cert-file" env:"TLS_CERT_FILE" help:"Certificate, where no proxy ends TLS."`
	TLSKeyFile        string   `name:"tls-key-file" env:"TLS_KEY_FILE" help:"Key of the certificate."`
	TrustedProxies    []string `env:"TRUSTED_PROXIES" help:"Networks of proxies whose forwarding headers count: 10.0.0.0/8,…"`
	SecretFile        string   `env:"SECRET_FILE" help:"File with the platform's secret, at least 32 random bytes as hex or Base64; made in DATA_DIR on one machine."`
	OldSecret         bool     `env:"OLD_SECRET" help:"Start with a secret of at least 32 characters that is no random key, which earlier versions took."`
	LogLevel          string   `env:"LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`

	marketConfig
	addonUsersConfig
	watchConfig

	// Dev and what is below come from Run and Validate.
	Dev      bool `kong:"-"`
	serving  bool
	level    slog.Level
	database sqldb.Config // zero for SQLite
	proxies  []netip.Prefix
	// packagesNamed tells that Packages is not the default.
	packagesNamed bool
}

// Validate reads the files that hold secrets, fills what follows from the rest,
// looks whether PACKAGES_DIR is there, and says what is wrong or missing. It
// opens and makes nothing else.
func (c Config) Validate() (Config, error) {
	for _, step := range []func(*Config) error{
		(*Config).readSecrets, (*Config).checkDatabase, (*Config).checkListener, (*Config).checkTLS,
		(*Config).checkOrigins, (*Config).checkMail, (*Config).checkMarketplace, (*Config).checkWatch, (*Config).checkPackages, (*Config).checkAddonUsers, (*Config).checkRest,
	} {
		if err := step(&c); err != nil {
			return Config{}, err
		}
	}
	return c, nil
}

func (c *Config) readSecrets() error {
	for _, s := range []struct {
		name, file string
		value      *string
	}{
		{"DATABASE_URL", c.DatabaseURLFile, &c.DatabaseURL},
		{"DATABASE_DIRECT_URL", c.DatabaseDirectF, &c.DatabaseDirectURL},
		{"SMTP_URL", c.SMTPURLFile, &c.SMTPURL},
	} {
		if s.file == "" {
			continue
		}
		if *s.value != "" {
			return fmt.Errorf("%s and %s_FILE are both set; keep one", s.name, s.name)
		}
		b, err := os.ReadFile(s.file)
		if err != nil {
			return fmt.Errorf("read %s_FILE: %w", s.name, err)
		}
		*s.value = strings.TrimSpace(string(b))
	}
	return nil
}

func (c *Config) checkDatabase() error {
	if c.DatabaseURL == "" {
		if c.DatabaseDirectURL != "" {
			return errors.New("DATABASE_DIRECT_URL is set but DATABASE_URL is not")
		}
		return nil
	}
	db, err := sqldb.Parse(c.DatabaseURL)
	if err != nil || db.Driver != sqldb.Postgres {
		return errors.New("DATABASE_URL must look like postgres://user:password@host/database; without it, SQLite files in DATA_DIR are used")
	}
	if c.database, err = db.WithDirect(c.DatabaseDirectURL); err != nil {
		return fmt.Errorf("DATABASE_DIRECT_URL: %w", err)
	}
	if c.SecretFile == "" && c.serving && !c.Dev {
		return errors.New("SECRET_FILE is missing: with DATABASE_URL, every machine must be given the same secret (openssl rand -hex 32 makes one)")
	}
	return nil
}

func (c *Config) checkListener() error {
	host, _, err := net.SplitHostPort(c.ListenAddr)
	if err != nil {
		return fmt.Errorf("LISTEN_ADDR %q must look like 127.0.0.1:8080", c.ListenAddr)
	}
	if !c.Dev {
		return nil
	}
	addr, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !addr.IsLoopback()) {
		return fmt.Errorf("--dev listens on this machine only; set LISTEN_ADDR to 127.0.0.1:8080 in place of %s", c.ListenAddr)
	}
	return nil
}

func (c *Config) checkTLS() error {
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		return errors.New("TLS_CERT_FILE and TLS_KEY_FILE belong together; set both or none")
	}
	return nil
}

func (c *Config) checkOrigins() error {
	for _, o := range []struct {
		name  string
		value *string
	}{{"BASE_URL", &c.BaseURL}, {"PORTAL_BASE_URL", &c.PortalBaseURL}} {
		if *o.value == "" {
			continue
		}
		u, err := url.Parse(strings.TrimSuffix(*o.value, "/"))
		if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
			return fmt.Errorf("%s %q must be an origin such as https://billing.example.com", o.name, *o.value)
		}
		if u.Scheme == "http" && c.serving && !c.Dev {
			return fmt.Errorf("%s must begin with https:// outside --dev", o.name)
		}
		*o.value = u.String()
	}
	if !c.serving || c.Dev {
		return nil
	}
	if c.BaseURL == "" {
		return errors.New("BASE_URL is missing: the origin of the staff pages, such as https://billing.example.com")
	}
	if c.PortalBaseURL == "" {
		return errors.New("PORTAL_BASE_URL is missing: the origin of the customers' pages, on another host name than BASE_URL")
	}
	if hostname(c.BaseURL) == hostname(c.PortalBaseURL) {
		return errors.New("BASE_URL and PORTAL_BASE_URL have the same host name; staff pages and customers' pages must not share one outside --dev")
	}
	return nil
}

func (c *Config) checkMail() error {
	if c.serving && !c.Dev && c.SMTPURL == "" {
		return errors.New("SMTP_URL is missing: the mail server, such as smtp://user:password@mail.example.com:587")
	}
	if c.MailFrom == "" {
		host := hostname(c.BaseURL)
		if host == "" || net.ParseIP(host) != nil || host == "localhost" {
			host = "billhost.example"
		}
		c.MailFrom = "no-reply@" + host
	}
	return nil
}

func (c *Config) checkRest() error {
	if err := c.level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return fmt.Errorf("LOG_LEVEL: %w", err)
	}
	for _, text := range c.TrustedProxies {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			addr, err := netip.ParseAddr(strings.TrimSpace(text))
			if err != nil {
				return fmt.Errorf("TRUSTED_PROXIES: %q is no network such as 10.0.0.0/8", text)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		c.proxies = append(c.proxies, p)
	}
	return nil
}

// checkPackages fills the folder of packages. The default one may be missing:
// then nothing is on offer.
func (c *Config) checkPackages() error {
	if c.Packages == "" {
		c.Packages = filepath.Join(c.DataDir, "packages")
		return nil
	}
	c.packagesNamed = true
	info, err := os.Stat(c.Packages)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("PACKAGES_DIR (--packages): there is no folder %s", c.Packages)
	}
	if err != nil {
		return fmt.Errorf("PACKAGES_DIR (--packages): %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("PACKAGES_DIR (--packages): %s is no folder", c.Packages)
	}
	return nil
}

func hostname(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}
