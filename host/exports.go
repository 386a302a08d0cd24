package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// keepExports is how long an export that the server kept at a purge stays for the
	// operator to hand over.
	keepExports = 30 * 24 * time.Hour
	// keepUnfinished is after what time an unfinished export was left by a process
	// that was killed.
	keepUnfinished = 24 * time.Hour
	// exportsEvery is how often old exports are looked for.
	exportsEvery = time.Hour
	// unfinished begins the names of exports that are being written.
	unfinished = "."
)

// exportsDir makes and returns the folder of exports, which only this process's
// user can read.
func (h *Host) exportsDir() (string, error) {
	dir := filepath.Join(h.config.DataDir, "exports")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make exports folder: %w", err)
	}
	return dir, nil
}

// followExports removes old exports, at once and from time to time, until ctx ends.
func (h *Host) followExports(ctx context.Context) error {
	again := time.NewTicker(exportsEvery)
	defer again.Stop()
	for {
		if err := h.sweepExports(h.config.Now()); err != nil {
			h.config.Log.WarnContext(ctx, "old exports not removed", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}

// sweepExports removes exports by their age.
func (h *Host) sweepExports(now time.Time) error {
	dir, err := h.exportsDir()
	if err != nil {
		return err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list exports: %w", err)
	}
	var errs []error
	for _, file := range files {
		info, err := file.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // another host was faster, or it is none of ours
		}
		keep := keepExports
		if strings.HasPrefix(file.Name(), unfinished) {
			keep = keepUnfinished
		}
		if now.Sub(info.ModTime()) < keep {
			continue
		}
		if err := os.Remove(filepath.Join(dir, file.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove export: %w", err))
		}
	}
	return errors.Join(errs...)
}
