// Command packer makes the packages of tests. It is a program of its own so that
// it runs without the race detector, which compresses ten times slower.
package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: packer FILE PROGRAM MANIFEST")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run puts a package into place as a whole.
func run(file, program, manifestFile string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), ".package")
	if err != nil {
		return fmt.Errorf("make package: %w", err)
	}
	src := pack.Source{Files: map[string]string{
		manifest.FileName: manifestFile, pack.BinaryPath(runtime.GOOS + "/" + runtime.GOARCH): program,
	}}
	if err := errors.Join(writeStored(f, src), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return fmt.Errorf("place package: %w", err)
	}
	return nil
}

// writeStored is pack.Write whose archive holds its bytes as they are.
func writeStored(w io.Writer, src pack.Source) error {
	read, write := io.Pipe()
	go func() { _ = write.CloseWithError(pack.Write(write, src)) }() // never fails
	from, err := gzip.NewReader(read)
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	to, err := gzip.NewWriterLevel(w, gzip.NoCompression)
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	if _, err := io.Copy(to, from); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return to.Close()
}
