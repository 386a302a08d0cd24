package sdktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// process starts an add-on that is a process.
func (s *subject) process(ctx context.Context) (*Instance, error) {
	i, err := s.serving(ctx)
	if err != nil {
		return nil, err
	}
	if i.program == nil {
		return nil, fmt.Errorf("%w: the add-on is in process", errNotApplicable)
	}
	return i, nil
}

// endsWithHost: the lifeline closes, however the host ended, and the process
// ends.
func endsWithHost(ctx context.Context, s *subject) error {
	i, err := s.process(ctx)
	if err != nil {
		return err
	}
	if err := i.program.hangUp(); err != nil {
		return fmt.Errorf("close lifeline: %w", err)
	}
	return s.inTime(ctx, "the end of a process without a host", waitFor(i.program.done))
}

// printsNothing: stdout is the handshake's.
func printsNothing(ctx context.Context, s *subject) error {
	i, err := s.process(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(s.pagesAnswer(ctx, i), i.Stop()); err != nil {
		return err
	}
	if noise := i.program.stdout.after(); noise != "" {
		return fmt.Errorf("the program prints %.200q after the handshake; stderr is for that", noise)
	}
	return nil
}

// explainsItself: run by hand, without the cookie, the program says what it is
// and ends with an exit code other than 0.
func explainsItself(ctx context.Context, s *subject) error {
	i, err := s.process(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, i.program.cmd.Path)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = []string{}, &stdout, &stderr, lastWords
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("run by hand, the program does not end within %s", s.patience)
	case err == nil:
		return errors.New("run by hand, the program ends with exit code 0")
	case stdout.Len() > 0:
		return fmt.Errorf("run by hand, the program prints %.200q to stdout", stdout.String())
	case stderr.Len() == 0:
		return errors.New("run by hand, the program says nothing on stderr")
	}
	return nil
}

// waitFor waits for a channel to close.
func waitFor(done <-chan struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// first waits for one of two channels, or for the patience.
func (s *subject) first(a, b <-chan struct{}) {
	select {
	case <-a:
	case <-b:
	case <-time.After(s.patience):
	}
}
