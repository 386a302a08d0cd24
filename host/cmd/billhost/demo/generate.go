package demo

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
)

// Sizes of the demonstration. The first customers of the list, more than a page,
// all owe something.
const (
	households = 192
	owing      = 80
)

// person is a customer to come, with invoices.
type person struct {
	form  books.CustomerForm
	bills []sdk.Invoice
}

func form(number, name, email, kind string, address sdk.Address) books.CustomerForm {
	return books.CustomerForm{Number: number, Name: name, DisplayName: name, Email: email, Type: kind, Address: address}
}

func firstNames() []string {
	return strings.Fields("Elena Marcus Priya Walter Grace Hector Yuki Nadia Oliver Carmen Isaac Leila Victor Bianca Samuel Ingrid Caleb Rosalind Tomas Beatrice Desmond Freya Julian Marisol")
}

func lastNames() []string {
	return strings.Fields("Rivera Bell Natarajan Pruitt Holloway Mendez Tanaka Haddad Brandt Vega Feldman Karimi Sokolov Conti Adeyemi Larsen Whitaker Quinn Novak Aldridge Osei Lindgren Castellanos Fitzgerald")
}

func streets() []string {
	return []string{"Heron Court", "Osceola Avenue", "Lakeview Road", "Magnolia Drive", "Druid Road", "Pelican Lane", "Cypress Bend", "Turner Street", "Sunset Point Road", "Jasmine Way"}
}

func cities() []sdk.Address {
	return []sdk.Address{
		{City: "Clearwater", State: "FL", Zip: "33759", Country: "USA"}, {City: "Dunedin", State: "FL", Zip: "34698", Country: "USA"},
		{City: "Largo", State: "FL", Zip: "33770", Country: "USA"}, {City: "Safety Harbor", State: "FL", Zip: "34695", Country: "USA"},
		{City: "Palm Harbor", State: "FL", Zip: "34683", Country: "USA"},
	}
}

// generate makes the customers of Northwind, but for its family.
func generate(today time.Time) []person {
	r := rand.New(rand.NewPCG(1042, 2026))
	first, last := firstNames(), lastNames()
	people := special()
	taken := map[string]bool{}
	for _, p := range people {
		taken[p.form.Name] = true
	}
	for i := 0; len(people) < households; i++ {
		name := first[i%len(first)] + " " + last[(i*7+i/len(first))%len(last)]
		if taken[name] {
			continue
		}
		taken[name] = true
		place := cities()[r.IntN(len(cities()))]
		place.Street = fmt.Sprintf("%d %s", 10+r.IntN(1900), streets()[r.IntN(len(streets()))])
		f := form(fmt.Sprintf("NW-%d", 1100+i), name, mailbox(name), "Residential", place)
		f.Phone = fmt.Sprintf("(727) 555-%04d", 100+r.IntN(99))
		if home := strings.Fields(name)[1] + " Residence"; r.IntN(6) == 0 && !taken[home] {
			f.DisplayName, taken[home] = home, true
		}
		people = append(people, person{form: f})
	}
	slices.SortStableFunc(people, func(a, b person) int {
		return cmp.Compare(strings.ToLower(a.form.DisplayName), strings.ToLower(b.form.DisplayName))
	})
	number := 1000
	for i := range people {
		people[i].bills = bills(r, people[i].form.Address, today, &number, i < owing || r.IntN(3) > 0)
	}
	return people
}

// special are customers with something to try.
func special() []person {
	heron := sdk.Address{Street: "18 Heron Court", City: "Clearwater", State: "FL", Zip: "33759", Country: "USA"}
	harbor := sdk.Address{Street: "1 Harbor View Drive", City: "Dunedin", State: "FL", Zip: "34698", Country: "USA"}
	shared := sdk.Address{Street: "402 Magnolia Drive", City: "Largo", State: "FL", Zip: "33770", Country: "USA"}
	people := []person{
		{form: form("NW-1042", "Elena Rivera", "elena.rivera@rivera-family.example", "Residential", heron)},
		{form: form("NW-1088", "Marcus Bell", "treasurer@harborview-hoa.example", "Association", harbor)},
		{form: form("NW-1090", "Adelaide Crane", "crane.household@example.com", "Residential", shared)},
		{form: form("NW-1091", "Benedict Crane", "crane.household@example.com", "Residential", shared)},
		{form: form("NW-1092", "Wilhelmina Finch", "", "Residential", sdk.Address{Street: "9 Turner Street", City: "Clearwater", State: "FL", Zip: "33756", Country: "USA"})},
	}
	people[0].form.DisplayName, people[0].form.Phone = "Rivera Family", "(727) 555-0118"
	people[1].form.DisplayName, people[1].form.Company = "Harbor View HOA", "Harbor View Homeowners Association"
	people[2].form.DisplayName = "Crane, Adelaide"
	people[3].form.DisplayName = "Crane, Benedict"
	people[4].form.Phone = "(727) 555-0193"
	return people
}

// mailbox is an address that can never reach anybody.
func mailbox(name string) string {
	at := strings.ToLower(strings.ReplaceAll(name, " ", "."))
	return at + "@" + strings.ToLower(name[strings.LastIndex(name, " ")+1:]) + ".example"
}

// bills makes a paid invoice or two and, if the customer owes, open ones.
func bills(r *rand.Rand, to sdk.Address, today time.Time, number *int, owes bool) []sdk.Invoice {
	next := func() string { *number++; return fmt.Sprintf("INV-%d", *number) }
	var out []sdk.Invoice
	for month := 2 + r.IntN(2); month > 0; month-- {
		inv := service(r, next(), to, today.AddDate(0, -month, -r.IntN(9)))
		inv.Paid = inv.Total
		out = append(out, books.Total(inv))
	}
	if !owes {
		return out
	}
	if r.IntN(4) == 0 {
		out = append(out, bill(next(), "Filter cartridge replacement", to, today.AddDate(0, 0, -3-r.IntN(40)), 0,
			line("Filter cartridge", "", 1000, 18900), line("Labor", "", 1500, 8200)))
	}
	open := service(r, next(), to, today.AddDate(0, 0, 1+r.IntN(24)))
	if r.IntN(5) == 0 {
		open.Paid.Minor = 10000
	}
	return append(out, books.Total(open))
}

// service is a month of visits.
func service(r *rand.Rand, number string, to sdk.Address, due time.Time) sdk.Invoice {
	visits := int64(4 + r.IntN(2))
	lines := []sdk.InvoiceLine{line("Weekly pool service", fmt.Sprintf("%d visits", visits), visits*1000, int64(8500+500*r.IntN(5)))}
	if r.IntN(2) == 0 {
		lines = append(lines, line("Liquid chlorine, 2.5 gal", "", int64(1+r.IntN(8))*1000, 850))
	}
	if r.IntN(3) == 0 {
		lines = append(lines, line("Salt cell cleaning", "Once a season", 1000, 12000))
	}
	return bill(number, due.AddDate(0, 0, -10).Month().String()+" weekly service", to, due, 0, lines...)
}

func bill(number, title string, to sdk.Address, due time.Time, paid int64, lines ...sdk.InvoiceLine) sdk.Invoice {
	taxable := int64(0)
	for _, l := range lines[1:] { // supplies are taxed, the service is not
		taxable += l.QuantityMilli * l.UnitPrice.Minor / 1000
	}
	return books.Total(sdk.Invoice{
		Number: number, Title: title, IssuedOn: due.AddDate(0, 0, -21), DueOn: due, BillTo: to, Lines: lines,
		Tax: usd(taxable * 7 / 100), Paid: usd(paid), Memo: "Thank you for your business.",
	})
}

func line(what, detail string, milli, price int64) sdk.InvoiceLine {
	return sdk.InvoiceLine{Description: what, Detail: detail, QuantityMilli: milli, UnitPrice: usd(price)}
}

func usd(minor int64) sdk.Money { return sdk.Money{Minor: minor, Currency: "USD"} }
