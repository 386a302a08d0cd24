package pack

import (
	"fmt"
	"io"
	"slices"
)

// ReadFiles checks a whole archive and returns those of the named files that it
// has, by path. A file longer than limit bytes is left out. Errors are those of
// Read.
func ReadFiles(r io.Reader, limit int64, names ...string) (map[string][]byte, error) {
	found := map[string][]byte{}
	_, err := read(r, Limits{}, func(f File, content io.Reader) error {
		if f.Size > limit || !slices.Contains(names, f.Path) {
			return nil
		}
		data, err := io.ReadAll(content)
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Path, damaged(err))
		}
		found[f.Path] = data
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}
