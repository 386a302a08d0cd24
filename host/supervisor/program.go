package supervisor

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// programFD is above every descriptor that starting a child shuffles.
const programFD = 64

// program is what a process executes.
type program struct {
	// file holds what was hashed; nil for a script.
	file *os.File
	path string
}

// close lets go of the file; a process that was started keeps its own.
func (p program) close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

// openProgram hashes a package's program and returns what runs. That is a copy in
// memory that nobody can change, whatever happens to the file afterwards. A script
// is run by its name, since its interpreter opens it and what lies beside it anew:
// for these the whole package was checked a moment before.
func openProgram(pkg *pack.Package, platform string) (p program, err error) {
	file, err := pkg.Binary(platform)
	if err != nil {
		return program{}, err
	}
	named, err := os.Open(pkg.Path(file.Path))
	if err != nil {
		return program{}, apperr.Wrap(apperr.Invalid, file.Path+" cannot be read.", err)
	}
	defer func() { _ = named.Close() }() // it was only read
	content := bufio.NewReaderSize(named, 256<<10)
	start, err := content.Peek(2)
	if err != nil {
		return program{}, apperr.Wrap(apperr.Invalid, file.Path+" is no program.", err)
	}
	script := bytes.Equal(start, []byte("#!"))
	var copied *os.File
	to := io.Discard
	if !script {
		if copied, err = newMemory(file.Path); err != nil {
			return program{}, err
		}
		to = copied
	}
	if err := hashInto(to, content, file); err != nil {
		return program{}, errors.Join(err, program{file: copied}.close())
	}
	if script {
		return program{path: pkg.Path(file.Path)}, nil
	}
	if err := seal(copied); err != nil {
		return program{}, errors.Join(err, program{file: copied}.close())
	}
	return program{file: copied, path: "/proc/self/fd/" + strconv.Itoa(int(copied.Fd()))}, nil
}

// hashInto copies a program and compares what it copied with the package's list.
func hashInto(to io.Writer, from io.Reader, file pack.File) error {
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(sum, to), io.LimitReader(from, file.Size+1))
	if err != nil {
		return fmt.Errorf("copy %s: %w", file.Path, err)
	}
	if n != file.Size || hex.EncodeToString(sum.Sum(nil)) != file.SHA256 {
		return apperr.Errorf(apperr.Invalid, "%s has changed since it was packed.", file.Path)
	}
	return nil
}

// newMemory returns an empty file in memory that may be executed and sealed.
func newMemory(name string) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // a kernel before 6.3
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return nil, fmt.Errorf("make memory for program: %w", err)
	}
	low := os.NewFile(uintptr(fd), name)
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, programFD)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("duplicate program: %w", err), low.Close())
	}
	return os.NewFile(uintptr(high), name), low.Close()
}

// seal makes a file in memory unchangeable for everybody.
func seal(f *os.File) error {
	_, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	if err != nil {
		return fmt.Errorf("seal program: %w", err)
	}
	return nil
}
