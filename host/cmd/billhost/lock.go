package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockFile is what the platform that serves from DATA_DIR holds a lock on; it
// names its process. The kernel ends the lock with the process, however that ends.
func (c Config) lockFile() string { return filepath.Join(c.DataDir, "serving.lock") }

// lockData makes DATA_DIR this process's until close. It comes before everything
// that changes something there.
func (s *server) lockData(context.Context) error {
	if !s.config.Dev {
		if err := s.config.mustExist(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(s.config.DataDir, 0o700); err != nil {
		return fmt.Errorf("make DATA_DIR: %w", err)
	}
	f, err := os.OpenFile(s.config.lockFile(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock DATA_DIR: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("DATA_DIR %s is in use by %s; each platform needs one of its own", s.config.dataDir(), holder(f))
		}
		return fmt.Errorf("lock DATA_DIR: %w", err)
	}
	s.closers = append(s.closers, f.Close) // the last to be closed
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return fmt.Errorf("lock DATA_DIR: %w", err)
	}
	return nil
}

// holder names the process that a lock file says.
func holder(f *os.File) string {
	line := make([]byte, 20)
	n, _ := f.ReadAt(line, 0) // what is not there is not said
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		return "another process"
	}
	return "process " + strconv.Itoa(pid)
}

// mustExist refuses a DATA_DIR in which nobody has made a platform. With PostgreSQL
// the platform is in the database, and DATA_DIR may be new.
func (c Config) mustExist() error {
	if c.DatabaseURL != "" {
		return nil
	}
	_, err := os.Stat(filepath.Join(c.DataDir, "billhost.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no platform in %s. Run the migrate command first, or set DATA_DIR to the folder of one", c.dataDir())
	}
	if err != nil {
		return fmt.Errorf("look into DATA_DIR: %w", err)
	}
	return nil
}

// dataDir is DATA_DIR as people can find it from everywhere.
func (c Config) dataDir() string {
	if dir, err := filepath.Abs(c.DataDir); err == nil {
		return dir
	}
	return c.DataDir
}
