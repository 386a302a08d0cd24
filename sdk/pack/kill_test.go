package pack_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk/pack"
)

const unpackEnv = "PACK_TEST_UNPACK"

// TestUnpackHelper is the process that TestKilledUnpack kills.
func TestUnpackHelper(t *testing.T) {
	dest := os.Getenv(unpackEnv)
	if dest == "" {
		t.Skip("only for TestKilledUnpack")
	}
	_, err := pack.Unpack(os.Stdin, dest, pack.Limits{})
	t.Fatalf("unpacked half an archive: %v", err)
}

// TestKilledUnpack kills a process at several places of an archive: nothing is
// there that is taken for a package, a later sweep leaves nothing, and the same
// archive still unpacks.
func TestKilledUnpack(t *testing.T) {
	t.Parallel()
	big := folder()
	noise := make([]byte, 1<<20)
	for i, x := 0, uint32(1); i < len(noise); i++ { // it does not compress
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	big["static/app.css"].Data = noise
	archive := MustPack(t, big)
	for _, part := range []int{0, 30, 60, 95} {
		t.Run(fmt.Sprint(part, " percent"), func(t *testing.T) {
			t.Parallel()
			dest := t.TempDir()
			child := exec.Command(os.Args[0], "-test.run=^TestUnpackHelper$")
			child.Env = append(os.Environ(), unpackEnv+"="+dest)
			in, err := child.StdinPipe()
			mustDo(t, err)
			mustDo(t, child.Start())
			_, err = in.Write(archive[:len(archive)*part/100])
			mustDo(t, err)
			for deadline := time.Now().Add(time.Minute); len(leftovers(t, dest)) == 0; {
				if time.Now().After(deadline) {
					t.Fatal("the process does not begin")
				}
				time.Sleep(time.Millisecond)
			}
			pack.Sweep(dest)
			if len(leftovers(t, dest)) == 0 {
				t.Error("what is being unpacked was swept")
			}
			mustDo(t, child.Process.Kill())
			_ = child.Wait() // it was killed
			for _, name := range leftovers(t, dest) {
				if !strings.HasPrefix(name, ".unpack-") {
					t.Errorf("%s could be taken for a package", name)
				}
			}
			pack.Sweep(dest)
			if left := leftovers(t, dest); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			p, err := pack.Unpack(bytes.NewReader(archive), dest, pack.Limits{})
			if err != nil || p.Verify() != nil {
				t.Errorf("unpacked again: %v", err)
			}
		})
	}
}
