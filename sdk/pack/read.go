package pack

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

// Read checks a whole archive without unpacking it. Invalid if it is damaged, if
// a file is unlisted, missing or different from the list, if its name could leave
// the folder, if it is a link or device, or if limits are exceeded; the message
// names the file.
func Read(r io.Reader, limits Limits) (*Package, error) {
	p, err := read(r, limits, func(File, io.Reader) error { return nil })
	if err != nil {
		return nil, err
	}
	return p, nil
}

// read walks an archive. Each file's checked content goes through the reader
// that sink gets; what sink leaves unread is read afterwards. A file is known to
// be right only after sink returned, and the archive only after read did. Beside
// an error about the manifest or the layout comes what could be read.
func read(r io.Reader, limits Limits, sink func(File, io.Reader) error) (*Package, error) {
	limits = limits.withDefaults()
	whole := sha256.New()
	buffered := bufio.NewReaderSize(io.TeeReader(r, whole), 64<<10)
	gz, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, damaged(err)
	}
	gz.Multistream(false)
	a := &archive{sink: sink, limits: limits, listed: map[string]File{}, seen: map[string]bool{}}
	a.stream = &capped{r: gz, left: limits.Total + int64(limits.Files+1)*4096 + maxListSize}
	a.tar = tar.NewReader(a.stream)
	p, err := a.read()
	if p == nil {
		return nil, err
	}
	if err := atEnd(a.stream, buffered); err != nil {
		return nil, err
	}
	p.Digest = hex.EncodeToString(whole.Sum(nil))
	return p, err
}

// atEnd refuses anything that follows the archive, and reads the checksum.
func atEnd(stream io.Reader, buffered *bufio.Reader) error {
	switch n, err := io.CopyN(io.Discard, stream, 1); {
	case n > 0:
		return refuse("The archive has data after its last file.")
	case err != io.EOF:
		return damaged(err)
	}
	switch _, err := buffered.ReadByte(); {
	case err == nil:
		return refuse("The archive has data after its end.")
	case err != io.EOF:
		return damaged(err)
	}
	return nil
}

// archive is one archive being read.
type archive struct {
	tar    *tar.Reader
	stream io.Reader
	limits Limits
	sink   func(File, io.Reader) error
	listed map[string]File
	seen   map[string]bool
}

func (a *archive) read() (*Package, error) {
	list, err := a.readList()
	if err != nil {
		return nil, err
	}
	files, err := parseList(list, a.limits)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		a.listed[f.Path] = f
	}
	var text bytes.Buffer
	for {
		f, err := a.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		var content io.Reader = a.tar
		if f.Path == manifest.FileName {
			content = io.TeeReader(a.tar, &limitedWriter{w: &text, left: manifest.MaxSize + 1})
		}
		if err := a.file(f, content); err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		if !a.seen[f.Path] {
			return nil, refuse("%s is listed in %s and missing from the archive.", f.Path, ListName)
		}
	}
	return describe(list, text.Bytes())
}

func (a *archive) readList() ([]byte, error) {
	h, err := a.tar.Next()
	if err != nil && err != io.EOF {
		return nil, damaged(err)
	}
	if err == io.EOF || h.Name != ListName || h.Typeflag != tar.TypeReg {
		return nil, refuse("The archive does not begin with %s; make it with addon pack.", ListName)
	}
	if h.Size > maxListSize {
		return nil, refuse("%s is larger than %s.", ListName, size(maxListSize))
	}
	list, err := io.ReadAll(a.tar)
	if err != nil {
		return nil, damaged(err)
	}
	if err := a.sink(listEntry(list), bytes.NewReader(list)); err != nil {
		return nil, err
	}
	return list, nil
}

// next returns the list's entry for the archive's next file; io.EOF after the last.
func (a *archive) next() (File, error) {
	h, err := a.tar.Next()
	if err == io.EOF {
		return File{}, io.EOF
	}
	if err != nil {
		return File{}, damaged(err)
	}
	if h.Typeflag != tar.TypeReg {
		return File{}, refuse("%q is %s; a package holds only regular files.", h.Name, kind(h.Typeflag))
	}
	if err := checkName(h.Name); err != nil {
		return File{}, err
	}
	f, ok := a.listed[h.Name]
	switch {
	case !ok:
		return File{}, refuse("%s is not listed in %s.", h.Name, ListName)
	case a.seen[h.Name]:
		return File{}, refuse("%s is in the archive twice.", h.Name)
	case h.Size != f.Size:
		return File{}, refuse("%s has %d bytes; %s says %d.", h.Name, h.Size, ListName, f.Size)
	}
	a.seen[h.Name] = true
	return f, nil
}

func (a *archive) file(f File, content io.Reader) error {
	sum := sha256.New()
	content = io.TeeReader(content, sum)
	if err := a.sink(f, content); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return damaged(err)
	}
	return sameSum(f, sum)
}

func sameSum(f File, sum hash.Hash) error {
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return changed(f, got)
	}
	return nil
}

func changed(f File, got string) error {
	return refuse("%s has changed since it was packed (sha256 %s, packed as %s).", f.Path, got, f.SHA256)
}

func kind(typeflag byte) string {
	switch typeflag {
	case tar.TypeSymlink:
		return "a symbolic link"
	case tar.TypeLink:
		return "a hard link"
	case tar.TypeDir:
		return "a folder entry"
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return "a device"
	}
	return fmt.Sprintf("an entry of type %q", string(typeflag))
}

// damaged says what a failing read means. A coded error passes unchanged.
func damaged(err error) error {
	if _, coded := errors.AsType[*apperr.Error](err); coded {
		return err
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return apperr.Wrap(apperr.Invalid, "The archive ends too early; copy or download it again.", err)
	case errors.Is(err, gzip.ErrHeader):
		return apperr.Wrap(apperr.Invalid, "This is not an add-on package; make one with addon pack.", err)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, tar.ErrHeader), strings.HasPrefix(err.Error(), "flate: "):
		return apperr.Wrap(apperr.Invalid, "The archive is damaged; copy or download it again.", err)
	}
	return fmt.Errorf("read archive: %w", err)
}

// capped ends a stream that unpacks to more than any allowed package.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, refuse("The archive unpacks to more than is allowed.")
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	return n, err
}

// limitedWriter keeps the first bytes and drops the rest.
type limitedWriter struct {
	w    io.Writer
	left int
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	if _, err := l.w.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}
