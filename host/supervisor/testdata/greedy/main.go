// Command greedy is an add-on that takes all it can get. Tests build it: the
// race detector of their own binary does not live with a limit of memory.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/serve"
)

func main() {
	serve.Main(sdk.Addon{ID: "test-addon", Version: "1.0.0", Start: func(context.Context, sdk.Env) (sdk.Parts, error) {
		return sdk.Parts{Invite: &greedy{}}, nil
	}})
}

type greedy struct {
	sdk.Inviter
	memory [][]byte
	files  []*os.File
}

// Link does what the test says, as one word and its object.
func (g *greedy) Link(ctx context.Context, what string) (string, error) {
	word, object, _ := strings.Cut(what, " ")
	switch word {
	case "memory":
		for {
			part := make([]byte, 16<<20)
			for i := 0; i < len(part); i += 4096 {
				part[i] = 1
			}
			g.memory = append(g.memory, part)
		}
	case "files":
		for {
			f, err := os.Open("manifest.yaml")
			if err != nil {
				return said(len(g.files), err), nil
			}
			g.files = append(g.files, f)
		}
	case "processes":
		for n := 0; ; n++ {
			err := exec.Command("/bin/sleep", object).Start()
			if errors.Is(err, syscall.EMFILE) {
				// It can start no more, and stays until it is ended for having these.
				select {
				case <-ctx.Done():
				case <-time.After(time.Minute):
				}
			}
			if err != nil {
				return said(n, err), nil
			}
		}
	case "escape":
		out, err := exec.Command("/bin/sh", "-c", "setsid sleep "+object+" >/dev/null 2>&1 & echo $!").Output()
		return strings.TrimSpace(string(out)), err
	case "list":
		_, err := os.ReadDir(object)
		return said(0, err), nil
	case "read":
		_, err := os.ReadFile(object)
		return said(0, err), nil
	case "write":
		return said(0, os.WriteFile(object, []byte("x"), 0o600)), nil
	case "temporary":
		f, err := os.CreateTemp("", "x")
		if err != nil {
			return said(0, err), nil
		}
		return f.Name(), f.Close()
	case "look":
		_, err := net.LookupHost("localhost")
		return said(0, err), nil
	case "signal":
		pid, err := strconv.Atoi(object)
		if err != nil {
			return "", err
		}
		return said(0, syscall.Kill(pid, 0)), nil
	case "status":
		text, err := os.ReadFile("/proc/self/status")
		return string(text), err
	}
	return "done", nil
}

func said(n int, err error) string { return fmt.Sprint(n, " ", err) }
