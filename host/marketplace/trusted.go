package marketplace

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// trusted is the metadata that a host has checked, by role. It is kept in one
// file, so that it is always of one time.
type trusted map[string][]byte

// shelfOf is the folder below dir for the marketplace that root stands for:
// another root starts afresh.
func shelfOf(dir string, root []byte) string {
	sum := sha256.Sum256(root)
	return filepath.Join(dir, hex.EncodeToString(sum[:8]))
}

const trustedFile = "trusted.json"

// loadTrusted returns what was kept; at first that is the root that was given.
func loadTrusted(dir string, root []byte) (trusted, error) {
	path := filepath.Join(dir, trustedFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return trusted{RoleRoot: root}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what is known of the marketplace: %w", err)
	}
	var t trusted
	err = json.Unmarshal(data, &t)
	if err == nil && len(t[RoleRoot]) == 0 {
		err = errors.New("holds no root")
	}
	if err != nil {
		const message = "What this host knows of the marketplace is damaged; remove the file trusted.json, and it learns anew."
		return nil, apperr.Wrap(apperr.Unavailable, message, fmt.Errorf("%s: %w", path, err))
	}
	return t, nil
}

func (t trusted) save(dir string) error {
	data, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("keep what is known of the marketplace: %w", err)
	}
	return writeFile(filepath.Join(dir, trustedFile), data, 0o600)
}

// write puts each role's file into a folder, as the updater wants them.
func (t trusted) write(dir string) error {
	for role, data := range t {
		if err := os.WriteFile(filepath.Join(dir, role+".json"), data, 0o600); err != nil {
			return fmt.Errorf("lay out metadata: %w", err)
		}
	}
	return nil
}

// readTrusted is the reverse of write.
func readTrusted(dir string) (trusted, error) {
	t := trusted{}
	for _, role := range Roles() {
		data, err := os.ReadFile(filepath.Join(dir, role+".json"))
		if err != nil {
			return nil, fmt.Errorf("read metadata: %w", err)
		}
		t[role] = data
	}
	return t, nil
}

// checkRoot says Invalid unless the file is a root signed by its own keys.
func checkRoot(path string, data []byte) error {
	root, err := metadata.Root().FromBytes(data)
	if err == nil && root.Signed.Type != metadata.ROOT {
		err = errors.New("is no root")
	}
	if err == nil {
		err = root.VerifyDelegate(RoleRoot, root)
	}
	if err != nil {
		return apperr.Wrap(apperr.Invalid, path+" is not the root of a marketplace; ask its owner for the file metadata/1.root.json.", err)
	}
	return nil
}
