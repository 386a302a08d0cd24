package walls_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unmanaged are packages that step around Go's safety of memory, and the only
// files that may: tests included, on every system.
func unmanaged() map[string][]string {
	return map[string][]string{
		// The kernel takes Landlock's rules by address.
		"unsafe": {"host/supervisor/landlock.go", "sdk/pb/*.pb.go"},
		"C":      nil, "plugin": nil, "runtime/cgo": nil,
		// Signals, locks and limits of processes and files.
		"syscall": {
			"host/cmd/billhost/lock.go", "host/cmd/billhost/main.go", "host/cmd/billhost/serve.go", "host/hosttest/rascal/wrong.go",
			"host/marketplace/download.go", "host/marketplace/file.go", "host/supervisor/instance.go", "host/supervisor/limits.go",
			"host/supervisor/runner.go", "host/supervisor/sockets.go", "host/supervisor/users.go", "host/supervisor/testdata/greedy/main.go",
			"host/tidy.go", "sdk/cmd/addon/main.go", "sdk/pack/unpack.go", "sdk/sdktest/examine_launch.go", "sdk/sdktest/launch.go",
			"sdk/sdktest/program.go", "sdk/serve/lifeline.go", "sdk/serve/memory.go", "sdk/serve/serve.go", "sdk/sqldb/dbtest/outage.go",
			"sdk/sqldb/dbtest/server.go", "sdk/sqldb/dbtest/testpg/main.go", "sdk/sqldb/lock.go", "*_test.go",
		},
		"golang.org/x/sys/unix": {
			"host/folder.go", "host/supervisor/cgroup.go", "host/supervisor/crowd.go", "host/supervisor/landlock.go", "host/supervisor/limits.go",
			"host/supervisor/program.go", "host/supervisor/runner.go", "sdk/sdktest/program.go", "*_test.go",
		},
	}
}

// ciphers are the packages of cryptography that may be used, each only where it
// is. All others of the standard library and of golang.org/x/crypto are refused,
// md5, sha1, des and rc4 with them, and so is every other library for it.
func ciphers() map[string][]string {
	return map[string][]string{
		"crypto/rand": {"*"}, "crypto/sha256": {"*"}, "crypto/hmac": {"*"}, "crypto/subtle": {"*"}, "crypto/tls": {"*"},
		"crypto/aes": {"host/settings_vault.go"}, "crypto/cipher": {"host/settings_vault.go"},
		"crypto/ed25519": {"host/marketplace/key.go", "host/marketplace/*_test.go"},
		"crypto/x509":    {"host/marketplace/key.go", "host/hosttest/rascal/impostor.go", "*_test.go"},
		"crypto/hkdf":    {"host/config.go", "host/cmd/billhost/secret.go"},
		// SCRAM-SHA-256, which PostgreSQL keeps passwords of roles with.
		"crypto/pbkdf2":              {"sdk/sqldb/provision.go"},
		"golang.org/x/crypto/argon2": {"sdk/password/password.go"},
		// Certificates of servers and add-ons that are made for a test.
		"crypto/ecdsa": {"*_test.go", "host/hosttest/rascal/impostor.go"}, "crypto/elliptic": {"*_test.go", "host/hosttest/rascal/impostor.go"}, "crypto/x509/pkix": {"*_test.go"}, "crypto": {"*_test.go"},
		// Not for secrets: jitter of waits, made-up customers, random tests.
		"math/rand/v2": {"sdk/jobs/backoff.go", "host/supervisor/supervisor.go", "host/cmd/billhost/demo/generate.go", "sdk/sqldb/dbtest/outage.go", "*_test.go"},
		// No algorithm: which of the system's users an add-on gets, and the interface.
		"hash/fnv": {"host/supervisor/users.go"}, "hash": {"sdk/pack/read.go"},
	}
}

// wild tells whether an import needs to stand in one of the tables.
func wild(path string) bool {
	_, named := unmanaged()[path]
	return named || withinAny(path, "crypto", "golang.org/x/crypto", "golang.org/x/sys", "hash", "math/rand", "internal", "filippo.io", "github.com/cloudflare/circl", "github.com/ProtonMail", "github.com/golang-jwt", "github.com/go-jose")
}

// importRefused says why a file may not import a package, or nothing.
func importRefused(file, path string) string {
	if !wild(path) {
		return ""
	}
	places, known := ciphers()[path]
	if !known {
		places = unmanaged()[path]
	}
	if slices.ContainsFunc(places, func(p string) bool { return matches(p, file) }) {
		return ""
	}
	return "is for the files that sdk/internal/walls names"
}

// matches compares a file with a place; one without a folder is any folder's.
func matches(place, file string) bool {
	if !strings.Contains(place, "/") {
		file = file[strings.LastIndex(file, "/")+1:]
	}
	ok, err := filepath.Match(place, file)
	return err == nil && ok
}

// TestImportsAreSafe: memory is Go's own everywhere, and cryptography comes from
// few packages. It reads every file, those for other systems and of tests too.
func TestImportsAreSafe(t *testing.T) {
	t.Parallel()
	const root = "../../.."
	read, used := 0, map[string]bool{}
	for _, top := range []string{"sdk", "host", "plugin"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && d.Name() == "node_modules" {
				if err == nil {
					err = fs.SkipDir
				}
				return err
			}
			if d.IsDir() || !strings.HasSuffix(path, ".go") {
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			read++
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			name = filepath.ToSlash(name)
			for _, i := range file.Imports {
				to, err := strconv.Unquote(i.Path.Value)
				if err != nil {
					return err
				}
				used[to+" "+name] = true
				if why := importRefused(name, to); why != "" {
					t.Errorf("%s imports %s, which %s", name, to, why)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 500 {
		t.Errorf("read %d files only", read)
	}
	for _, table := range []map[string][]string{unmanaged(), ciphers()} {
		for path, places := range table {
			for _, p := range places {
				if !strings.Contains(p, "*") && !used[path+" "+p] {
					t.Errorf("%s need not be allowed to import %s", p, path)
				}
			}
		}
	}
}

func TestImportRefused(t *testing.T) {
	t.Parallel()
	for what, allowed := range map[string]bool{
		"plugin/web/web.go unsafe":                    false,
		"host/supervisor/landlock.go unsafe":          true,
		"sdk/pb/common.pb.go unsafe":                  true,
		"sdk/web/web_test.go C":                       false,
		"plugin/portal/token.go crypto/md5":           false,
		"plugin/portal/token.go crypto/sha1":          false,
		"plugin/portal/token_test.go crypto/des":      false,
		"plugin/portal/token.go crypto/rc4":           false,
		"plugin/portal/token.go crypto/sha256":        true,
		"plugin/portal/token.go crypto/cipher":        false,
		"plugin/portal/token.go math/rand":            false,
		"plugin/portal/token.go math/rand/v2":         false,
		"sdk/jobs/backoff.go math/rand/v2":            true,
		"plugin/portal/token.go hash/crc32":           false,
		"host/mail/x.go golang.org/x/crypto/md4":      false,
		"host/mail/x.go golang.org/x/crypto/argon2":   false,
		"host/mail/x.go github.com/golang-jwt/jwt/v5": false,
		"plugin/store/store.go syscall":               false,
		"plugin/store/signin_bench_test.go syscall":   true,
		"plugin/web/web.go net/http":                  true,
	} {
		file, path, _ := strings.Cut(what, " ")
		if got := importRefused(file, path) == ""; got != allowed {
			t.Errorf("%s: allowed = %v, want %v", what, got, allowed)
		}
	}
}
