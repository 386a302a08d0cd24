// Command billhost is the reference billing platform: billers, their staff,
// customers and invoices, with add-ons through package host.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := Program{Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if err := p.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "billhost:", oneLine(err.Error()))
		os.Exit(1)
	}
}
