package main

import (
	"context"
	"fmt"
)

type staffDisableCommand struct {
	Biller string `required:"" placeholder:"SLUG" help:"Slug of the biller."`
	Email  string `required:"" help:"The person's address."`
}

func (cmd *staffDisableCommand) run(ctx context.Context, p *Program, c Config) error {
	return switchStaff(ctx, p, c, cmd.Biller, cmd.Email, true)
}

type staffEnableCommand struct {
	Biller string `required:"" placeholder:"SLUG" help:"Slug of the biller."`
	Email  string `required:"" help:"The person's address."`
}

func (cmd *staffEnableCommand) run(ctx context.Context, p *Program, c Config) error {
	return switchStaff(ctx, p, c, cmd.Biller, cmd.Email, false)
}

// switchStaff closes or opens the account of a staff user.
func switchStaff(ctx context.Context, p *Program, c Config, slug, address string, disabled bool) error {
	l, err := openBooks(ctx, c, false)
	if err != nil {
		return err
	}
	defer l.close(p.logger(c))
	biller, err := l.BillerBySlug(ctx, slug)
	if err != nil {
		return fmt.Errorf("biller %q: %w", slug, err)
	}
	person, err := l.StaffByEmail(ctx, biller.ID, address)
	if err != nil {
		return plain(err)
	}
	if err := l.DisableStaff(ctx, biller.ID, person.ID, disabled); err != nil {
		return plain(err)
	}
	told := "%s of %s is disabled: every session and link has ended.\n"
	if !disabled {
		told = "%s of %s may sign in again.\n"
	}
	_, err = fmt.Fprintf(p.Stdout, told, person.Email, biller.Name)
	return err
}
