package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

type staffListCommand struct {
	Biller string `required:"" placeholder:"SLUG" help:"Slug of the biller."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// staffLine is one line of the list.
type staffLine struct {
	Name       string     `json:"name"`
	Email      string     `json:"email"`
	Role       string     `json:"role"`
	State      string     `json:"state"`
	LastSignIn *time.Time `json:"last_sign_in,omitempty"`
}

func (l staffLine) String() string {
	seen := "never signed in"
	if l.LastSignIn != nil {
		seen = "signed in " + l.LastSignIn.Format(time.RFC3339)
	}
	return l.Name + "\t" + l.Email + "\t" + l.Role + "\t" + l.State + "\t" + seen
}

func (cmd *staffListCommand) run(ctx context.Context, p *Program, c Config) error {
	l, err := openBooks(ctx, c, false)
	if err != nil {
		return err
	}
	defer l.close(p.logger(c))
	biller, err := l.BillerBySlug(ctx, cmd.Biller)
	if err != nil {
		return fmt.Errorf("biller %q: %w", cmd.Biller, err)
	}
	people, err := l.StaffSeen(ctx, biller.ID)
	if err != nil {
		return err
	}
	out := []staffLine{}
	for _, person := range people {
		state := "active"
		if person.Disabled {
			state = "disabled"
		}
		out = append(out, staffLine{person.Name, person.Email, string(person.Role), state, stamp(person.LastSignIn)})
	}
	if cmd.JSON {
		return json.NewEncoder(p.Stdout).Encode(out)
	}
	for _, line := range out {
		if _, err := fmt.Fprintln(p.Stdout, line); err != nil {
			return err
		}
	}
	return nil
}
