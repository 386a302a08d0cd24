// Package demo fills an empty database with a lifelike business, so that
// everything can be tried at once. The same day always gives the same books.
package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk"
)

// Fill makes the demonstration billers with staff, customers and invoices, and
// returns the owner of the first one. today is a calendar day at midnight UTC.
func Fill(ctx context.Context, s *store.Store, today time.Time) (books.Staff, error) {
	northwind, err := s.AddBiller(ctx, northwind())
	if err != nil {
		return books.Staff{}, fmt.Errorf("add demonstration biller: %w", err)
	}
	owner, err := addStaff(ctx, s, northwind.ID,
		books.Staff{Email: "dana@northwindpool.example", Name: "Dana Whitfield", Role: books.Operator},
		books.Staff{Email: "luis@northwindpool.example", Name: "Luis Ortega", Role: books.Manager},
		books.Staff{Email: "june@northwindpool.example", Name: "June Park", Role: books.Viewer})
	if err != nil {
		return books.Staff{}, err
	}
	if err := load(ctx, s, northwind.ID, generate(today)); err != nil {
		return books.Staff{}, err
	}
	if err := loadFamily(ctx, s, northwind.ID, today); err != nil {
		return books.Staff{}, err
	}
	return owner, fillHarbor(ctx, s, today)
}

func northwind() sdk.Biller {
	return sdk.Biller{
		Slug: "northwind", Name: "Northwind Pool Service", Brand: "#0b6b8a",
		Email: "office@northwindpool.example", Phone: "(727) 555-0142", Hours: "Monday to Friday, 8 AM to 5 PM",
		Address: sdk.Address{Street: "2210 Gulf Breeze Avenue", City: "Clearwater", State: "FL", Zip: "33755", Country: "USA"},
	}
}

// fillHarbor makes a second biller, so that it shows that billers never meet.
func fillHarbor(ctx context.Context, s *store.Store, today time.Time) error {
	harbor, err := s.AddBiller(ctx, sdk.Biller{
		Slug: "harbor", Name: "Harbor Electric", Brand: "#c8102e",
		Email: "hello@harborelectric.example", Phone: "(813) 555-0170", Hours: "Weekdays, 7 AM to 4 PM",
		Address: sdk.Address{Street: "77 Dock Street", City: "Tampa", State: "FL", Zip: "33602", Country: "USA"},
	})
	if err != nil {
		return fmt.Errorf("add second biller: %w", err)
	}
	if _, err := addStaff(ctx, s, harbor.ID, books.Staff{Email: "rosa@harborelectric.example", Name: "Rosa Delgado", Role: books.Owner}); err != nil {
		return err
	}
	var people []person
	for i, name := range []string{"Amara Okafor", "Elena Rivera", "Peter Lindqvist", "Sunset Diner", "Theo Marsh"} {
		p := person{form: books.CustomerForm{
			Number: fmt.Sprintf("HE-%d", 301+i), Name: name, DisplayName: name, Email: mailbox(name),
			Phone: fmt.Sprintf("(813) 555-01%02d", 20+i), Type: "Residential",
			Address: sdk.Address{Street: fmt.Sprintf("%d Palm Row", 11+7*i), City: "Tampa", State: "FL", Zip: "33606", Country: "USA"},
		}}
		p.bills = []sdk.Invoice{bill(fmt.Sprintf("HE-INV-%d", 501+i), "Panel inspection", p.form.Address, today.AddDate(0, 0, 4*i-5), 0,
			line("Inspection, two hours", "", 2000, 11500))}
		people = append(people, p)
	}
	return load(ctx, s, harbor.ID, people)
}

// addStaff adds people and returns the first.
func addStaff(ctx context.Context, s *store.Store, biller string, people ...books.Staff) (books.Staff, error) {
	var first books.Staff
	for i, p := range people {
		p.BillerID = biller
		added, err := s.AddStaff(ctx, p)
		if err != nil {
			return books.Staff{}, fmt.Errorf("add staff: %w", err)
		}
		if i == 0 {
			first = added
		}
	}
	return first, nil
}

func load(ctx context.Context, s *store.Store, biller string, people []person) error {
	entries := make([]store.Entry, len(people))
	for i, p := range people {
		entries[i] = store.Entry{
			Name: p.form.Name, Invoices: p.bills,
			Apply: func(books.CustomerForm) books.CustomerForm { return p.form },
		}
	}
	if _, err := s.Load(ctx, biller, entries); err != nil {
		return fmt.Errorf("load demonstration customers: %w", err)
	}
	return nil
}

// loadFamily makes a parent with three sub-customers.
func loadFamily(ctx context.Context, s *store.Store, biller string, today time.Time) error {
	parent := person{form: form("NW-1300", "Gulf Breeze Property Management", "ap@gulfbreeze-pm.example", "Commercial", sdk.Address{Street: "500 Court Street", City: "Clearwater", State: "FL", Zip: "33756", Country: "USA"})}
	parent.bills = []sdk.Invoice{bill("INV-2300", "Annual service agreement", parent.form.Address, today.AddDate(0, 0, 21), 0, line("Service agreement, four properties", "", 4000, 15000))}
	if err := load(ctx, s, biller, []person{parent}); err != nil {
		return err
	}
	made, err := s.FindByLabel(ctx, biller, parent.form.Number)
	if err != nil {
		return fmt.Errorf("find demonstration parent: %w", err)
	}
	var subs []person
	for i, name := range []string{"Seaside Villas", "Bayview Court", "Heron Point Condominiums"} {
		sub := person{form: form(fmt.Sprintf("NW-%d", 1301+i), "Gulf Breeze: "+name, fmt.Sprintf("site%d@gulfbreeze-pm.example", i+1), "Commercial",
			sdk.Address{Street: fmt.Sprintf("%d Bayshore Drive", 120+40*i), City: "Dunedin", State: "FL", Zip: "34698", Country: "USA"})}
		sub.form.ParentID = made.ID
		sub.bills = []sdk.Invoice{bill(fmt.Sprintf("INV-%d", 2301+i), "Monthly pool service", sub.form.Address, today.AddDate(0, 0, 6+i), 0,
			line("Weekly pool service", "Four visits", 4000, 12500), line("Liquid chlorine, 2.5 gal", "", 6000, 850))}
		subs = append(subs, sub)
	}
	return load(ctx, s, biller, subs)
}
