package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

type billerCommands struct {
	List billerListCommand `cmd:"" help:"List the billers."`
	Add  billerAddCommand  `cmd:"" help:"Add a biller."`
}

type billerListCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// billerLine is one line of the list.
type billerLine struct {
	Slug string `json:"slug"`
	Name string `json:"name"`
}

func (cmd *billerListCommand) run(ctx context.Context, p *Program, c Config) error {
	l, err := openBooks(ctx, c, false)
	if err != nil {
		return err
	}
	defer l.close(p.logger(c))
	billers, err := l.Billers(ctx)
	if err != nil {
		return err
	}
	out := []billerLine{}
	for _, b := range billers {
		out = append(out, billerLine{b.Slug, b.Name})
	}
	if cmd.JSON {
		return json.NewEncoder(p.Stdout).Encode(out)
	}
	for _, b := range out {
		if _, err := fmt.Fprintf(p.Stdout, "%s\t%s\n", b.Slug, b.Name); err != nil {
			return err
		}
	}
	return nil
}

type billerAddCommand struct {
	Name     string `required:"" help:"Name, as customers know it."`
	Slug     string `required:"" help:"Short word in the portal's address; it never changes."`
	Email    string `help:"Address that customers may write to."`
	Phone    string `help:"Number that customers may call."`
	Hours    string `help:"When somebody answers."`
	Street   string `help:"Street of the postal address."`
	City     string `help:"City."`
	State    string `help:"State."`
	Zip      string `help:"Zip."`
	Country  string `help:"Country."`
	Brand    string `help:"Colour as #rrggbb."`
	TimeZone string `help:"IANA time zone; America/New_York by default."`
	Locale   string `help:"Language tag; en-US by default."`
	Currency string `help:"Currency; USD by default."`
}

func (cmd *billerAddCommand) run(ctx context.Context, p *Program, c Config) error {
	l, err := openBooks(ctx, c, false)
	if err != nil {
		return err
	}
	defer l.close(p.logger(c))
	b, err := l.AddBiller(ctx, sdk.Biller{
		Name: cmd.Name, Slug: cmd.Slug, Email: cmd.Email, Phone: cmd.Phone, Hours: cmd.Hours, Brand: cmd.Brand,
		Address:  sdk.Address{Street: cmd.Street, City: cmd.City, State: cmd.State, Zip: cmd.Zip, Country: cmd.Country},
		TimeZone: cmd.TimeZone, Locale: cmd.Locale, Currency: cmd.Currency,
	})
	if err != nil {
		return plain(err)
	}
	_, err = fmt.Fprintf(p.Stdout, "Added %s (%s)\n", b.Name, b.Slug)
	return err
}

type staffCommands struct {
	List    staffListCommand    `cmd:"" help:"List the people, with role, state and last sign-in."`
	Add     staffAddCommand     `cmd:"" help:"Add a person and print a one-time sign-in link; for one who is there already, print a new link and, with --role, give them that role."`
	Disable staffDisableCommand `cmd:"" help:"Close a person's account at once: sessions and links end."`
	Enable  staffEnableCommand  `cmd:"" help:"Open a closed account again."`
}

type staffAddCommand struct {
	Biller string `required:"" placeholder:"SLUG" help:"Slug of the biller."`
	Email  string `required:"" help:"The person's address."`
	Name   string `help:"The person's name; the address by default."`
	Role   string `default:"" enum:"operator,owner,manager,viewer," help:"Required for a new person; one who is there already keeps theirs without it. owner, manager or viewer; operator is an owner who also operates the add-ons of the whole platform."`
}

func (cmd *staffAddCommand) run(ctx context.Context, p *Program, c Config) error {
	l, err := openBooks(ctx, c, false)
	if err != nil {
		return err
	}
	defer l.close(p.logger(c))
	biller, err := l.BillerBySlug(ctx, cmd.Biller)
	if err != nil {
		return fmt.Errorf("biller %q: %w", cmd.Biller, err)
	}
	person, err := cmd.person(ctx, p, l, biller)
	if err != nil {
		return plain(err)
	}
	link, err := l.NewStaffLink(ctx, biller.ID, person.ID)
	if err != nil {
		return err
	}
	base, err := c.origin()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "Sign in: %s/sign-in/%s\n", base, link)
	return err
}

// person adds the person or, if they are there already, finds them.
func (cmd *staffAddCommand) person(ctx context.Context, p *Program, l *ledger, biller sdk.Biller) (books.Staff, error) {
	if cmd.Role == "" {
		person, err := l.StaffByEmail(ctx, biller.ID, cmd.Email)
		if apperr.Is(err, apperr.NotFound) {
			err = fmt.Errorf("nobody at %s has the address %s; to add a person, give --role: owner, manager, viewer or operator", biller.Name, cmd.Email)
		}
		return person, err
	}
	name := cmd.Name
	if name == "" {
		name = cmd.Email
	}
	person, err := l.AddStaff(ctx, books.Staff{BillerID: biller.ID, Email: cmd.Email, Name: name, Role: books.Role(cmd.Role)})
	if apperr.Is(err, apperr.Conflict) {
		return cmd.again(ctx, p, l, biller.ID)
	}
	return person, err
}

// again gives a person who is on the staff already the role, with a word on
// stderr if it was another.
func (cmd *staffAddCommand) again(ctx context.Context, p *Program, l *ledger, biller string) (books.Staff, error) {
	person, err := l.StaffByEmail(ctx, biller, cmd.Email)
	if err != nil || string(person.Role) == cmd.Role {
		return person, err
	}
	if err := l.SetStaffRole(ctx, biller, person.ID, books.Role(cmd.Role)); err != nil {
		return books.Staff{}, err
	}
	_, err = fmt.Fprintf(p.Stderr, "%s was on the staff as %s and is %s now.\n", person.Email, person.Role, cmd.Role)
	return person, err
}

// plain keeps what a person can act on: for a form error the fields' texts.
func plain(err error) error {
	for field, text := range apperr.FieldsOf(err) {
		return fmt.Errorf("--%s: %s", field, text)
	}
	return err
}

type migrateCommand struct{}

// run brings the platform's schema and the host's up to date; each add-on
// migrates its own when it starts.
func (*migrateCommand) run(ctx context.Context, p *Program, c Config) error {
	l, err := openBooks(ctx, c, true)
	if err != nil {
		return err
	}
	defer l.close(p.logger(c))
	if err := migrateHost(ctx, l.places); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.Stdout, "The database is up to date.")
	return err
}
