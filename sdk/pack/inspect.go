package pack

import (
	"errors"
	"io"
)

// Inspect reads an archive as Unpack does and puts its files into the folder
// dir, which must be empty, for tools that explain mistakes. Beside an error
// about the manifest or the layout comes the package; its Manifest is then what
// could be read of it, nil if it is not YAML. Any other error comes alone.
func Inspect(r io.Reader, dir string, limits Limits) (*Package, error) {
	p, err := read(r, limits, func(f File, content io.Reader) error { return save(dir, f, content) })
	if p != nil {
		p.Dir = dir
	}
	return p, err
}

// InspectDir is Open and Verify of an unpacked package, with a package beside
// the error as Inspect has it.
func InspectDir(dir string) (*Package, error) {
	p, err := open(dir)
	if p == nil {
		return nil, err
	}
	return p, errors.Join(err, p.verify(""))
}
