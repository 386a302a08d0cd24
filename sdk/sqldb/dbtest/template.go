package dbtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// templateCache keeps migrated databases to copy from, one for each list of sets.
type templateCache struct {
	mu     sync.Mutex
	admin  *sqldb.DB         // opened on first use, for the life of the process
	images map[string][]byte // SQLite files
	ready  map[string]bool   // names of PostgreSQL template databases
}

// sqlite returns the bytes of a migrated SQLite file.
func (c *templateCache) sqlite(ctx context.Context, sets []sqldb.Migrations) ([]byte, error) {
	key, err := fingerprint(sets)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if image, ok := c.images[key]; ok {
		return image, nil
	}
	dir, err := os.MkdirTemp("", "sqlite")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a folder left in the temporary one hurts no test
	path := filepath.Join(dir, "template.db")
	if err := migrate(ctx, sqldb.Config{Driver: sqldb.SQLite, DSN: path}, sets); err != nil {
		return nil, err
	}
	image, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if c.images == nil {
		c.images = map[string][]byte{}
	}
	c.images[key] = image
	return image, nil
}

// clone creates a database on the server from the template of the sets.
func (c *templateCache) clone(ctx context.Context, s *Server, sets []sqldb.Migrations) (cfg sqldb.Config, drop func() error, err error) {
	template, err := c.postgres(ctx, s, sets)
	if err != nil {
		return cfg, nil, err
	}
	name := "t_" + random()
	if cfg, err = s.admin.Database(name); err != nil {
		return cfg, nil, err
	}
	// Identifiers cannot be bound; these are made of letters and digits here.
	if _, err := c.admin.W.ExecContext(ctx, `CREATE DATABASE `+name+` TEMPLATE `+template); err != nil {
		return cfg, nil, fmt.Errorf("create test database: %w", err)
	}
	return cfg, func() error {
		_, err := c.admin.W.Exec(`DROP DATABASE ` + name + ` WITH (FORCE)`)
		return err
	}, nil
}

// postgres returns the name of a migrated database nobody is connected to. It
// is made under a name of its own and then renamed, for other processes may
// be about to make the same one on a server they share.
func (c *templateCache) postgres(ctx context.Context, s *Server, sets []sqldb.Migrations) (string, error) {
	key, err := fingerprint(sets)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.admin == nil {
		if c.admin, err = sqldb.Open(ctx, s.admin); err != nil {
			return "", err
		}
	}
	if len(sets) == 0 {
		return "template1", nil
	}
	name := "tmpl_" + key
	if c.ready[name] {
		return name, nil
	}
	if err := c.makeTemplate(ctx, s, name, sets); err != nil {
		return "", err
	}
	if c.ready == nil {
		c.ready = map[string]bool{}
	}
	c.ready[name] = true
	return name, nil
}

func (c *templateCache) makeTemplate(ctx context.Context, s *Server, name string, sets []sqldb.Migrations) (err error) {
	conn, err := c.admin.W.Connx(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // back to the pool
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(7021466022)`); err != nil {
		return err
	}
	defer func() {
		_, unlockErr := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock(7021466022)`)
		err = errors.Join(err, unlockErr)
	}()
	var exists bool
	err = conn.GetContext(ctx, &exists, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, name)
	if err != nil || exists {
		return err
	}
	draft := "draft_" + random()
	if _, err := conn.ExecContext(ctx, `CREATE DATABASE `+draft); err != nil {
		return err
	}
	cfg, err := s.admin.Database(draft)
	if err != nil {
		return err
	}
	if err := migrate(ctx, cfg, sets); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `ALTER DATABASE `+draft+` RENAME TO `+name)
	return err
}

func migrate(ctx context.Context, cfg sqldb.Config, sets []sqldb.Migrations) error {
	db, err := sqldb.Open(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(sqldb.Migrate(ctx, db, sets...), db.Close())
}

// fingerprint hashes all that decides what the sets make.
func fingerprint(sets []sqldb.Migrations) (string, error) {
	h := sha256.New()
	for _, set := range sets {
		h.Write(fmt.Appendf(nil, "%q %d %q\n", set.Name, set.Program, set.Reference))
		err := fs.WalkDir(set.Files, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(set.Files, path)
			h.Write(fmt.Appendf(nil, "%q %q\n", path, text))
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:12]), nil
}

func random() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // documented never to fail
	return fmt.Sprintf("%x", b)
}
