package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// Rights of a landlock rule.
const (
	readFile = unix.LANDLOCK_ACCESS_FS_READ_FILE
	// forFiles are the rights that make sense for a single file.
	forFiles = readFile | unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	look = readFile | unix.LANDLOCK_ACCESS_FS_READ_DIR
	run  = look | unix.LANDLOCK_ACCESS_FS_EXECUTE
	// own is everything but programs and devices.
	own = look | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER
)

// paths are what a program may open, with the rights to each.
type paths struct{ rights map[string]uint64 }

// newPaths returns what an add-on may open. They are nil for a database file
// without a folder of its own: SQLite makes files beside it, and a right to the
// folder would be one to everybody's.
func newPaths(pkg, sockets string, env Env) *paths {
	if env.Database.Driver == sqldb.SQLite && (env.Folder == "" || filepath.Dir(env.Database.DSN) != env.Folder) {
		return nil
	}
	p := &paths{rights: map[string]uint64{pkg: run, sockets: own}}
	if env.Folder != "" {
		p.rights[env.Folder] = own
	}
	for _, path := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"} {
		p.rights[path] = run
	}
	for _, path := range []string{
		"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/gai.conf",
		"/etc/nsswitch.conf", "/etc/services", "/etc/protocols", "/etc/localtime", "/etc/timezone", "/etc/passwd", "/etc/group",
		"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/mime.types",
		"/proc/sys", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/loadavg",
		"/sys/fs/cgroup", "/sys/kernel/mm", "/sys/devices/system/cpu",
		"/dev/random", "/dev/urandom", "/dev/zero", os.Getenv("SSL_CERT_FILE"),
	} {
		p.rights[path] |= look
	}
	p.rights["/dev/null"] = readFile | unix.LANDLOCK_ACCESS_FS_WRITE_FILE
	for _, path := range filesOf(env.Database) {
		p.rights[path] |= readFile
	}
	return p
}

var fileParameter = regexp.MustCompile(`\b(?:sslrootcert|sslcert|sslkey|passfile|servicefile)=('[^']*'|[^\s&]+)`)

// filesOf returns the files that a connection to PostgreSQL reads.
func filesOf(db sdk.Database) []string {
	var files []string
	for _, found := range fileParameter.FindAllStringSubmatch(db.DSN+" "+db.DirectDSN, -1) {
		name, err := url.QueryUnescape(found[1])
		if err != nil {
			name = found[1]
		}
		if n := len(name); n > 1 && name[0] == '\'' {
			name = name[1 : n-1]
		}
		if filepath.IsAbs(name) {
			files = append(files, name)
		}
	}
	return files
}

// restrict takes everything but the paths from this thread and what it starts.
// It reports false where the kernel cannot.
func (p *paths) restrict() (bool, error) {
	if p == nil {
		return false, nil
	}
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return false, nil // ENOSYS or EOPNOTSUPP: not built in, or switched off
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: handled(int(version))}
	if version >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_SIGNAL | unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return false, fmt.Errorf("make landlock rules: %w", errno)
	}
	rules := os.NewFile(fd, "landlock")
	err := p.add(rules, attr.Handled_access_fs)
	if err == nil {
		if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, rules.Fd(), 0, 0); errno != 0 {
			err = fmt.Errorf("apply landlock rules: %w", errno)
		}
	}
	return err == nil, errors.Join(err, rules.Close())
}

// handled returns the rights that a version of landlock knows.
func handled(version int) uint64 {
	all := uint64(unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1)
	if version >= 2 {
		all |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		all |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 5 {
		all |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	return all
}

func (p *paths) add(rules *os.File, known uint64) error {
	for path, rights := range p.rights {
		if path == "" {
			continue
		}
		// What is not there, or closed to the host too, needs no rule.
		if err := addRule(rules, path, rights&known); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("allow %s: %w", path, err)
		}
	}
	return nil
}

func addRule(rules *os.File, path string, rights uint64) (err error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return err
	}
	if info.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= forFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, rules.Fd(), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
