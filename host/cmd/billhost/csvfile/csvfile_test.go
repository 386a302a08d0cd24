package csvfile_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/csvfile"
	"github.com/billing-addons/customer-portal/sdk"
)

// read returns all customers and refusals of a file.
func read(tb testing.TB, file string) (customers []csvfile.Customer, refused []string) {
	tb.Helper()
	r, err := csvfile.NewReader(strings.NewReader(file))
	if err != nil {
		tb.Fatal(err)
	}
	for {
		row, refusal, err := r.Read()
		if errors.Is(err, io.EOF) {
			return customers, refused
		}
		if err != nil {
			tb.Fatal(err)
		}
		var c csvfile.Customer
		if refusal == nil {
			c, refusal = r.Customer(row, "USD")
		}
		if refusal != nil {
			refused = append(refused, refusal.String())
			continue
		}
		customers = append(customers, c)
	}
}

func TestReadAQuickBooksList(t *testing.T) {
	t.Parallel()
	file := "\xef\xbb\xbfOpen balance,Name,Company name,Email,Phone,Street Address,City,State,Zip,Country,Notes\r\n" +
		"\"$1,234.50\",\"Rivera, Elena\",Rivera Family,elena@rivera.example,(727) 555-0118,\"18 Heron Court\nUnit 2\",Clearwater,FL,03375,USA,VIP\r\n" +
		"\r\n" +
		"(12.00),Marcus Bell\r\n"
	got, refused := read(t, file)
	if len(refused) != 0 || len(got) != 2 {
		t.Fatalf("%d customers, refused %v", len(got), refused)
	}
	form := got[0].Apply(books.CustomerForm{Type: "Residential"})
	want := books.CustomerForm{
		Name: "Rivera, Elena", DisplayName: "Rivera, Elena", Company: "Rivera Family", Email: "elena@rivera.example", Phone: "(727) 555-0118",
		Address: sdk.Address{Street: "18 Heron Court Unit 2", City: "Clearwater", State: "FL", Zip: "03375", Country: "USA"}, Type: "Residential",
	}
	if diff := cmp.Diff(want, form); diff != "" {
		t.Errorf("form (-want +got):\n%s", diff)
	}
	if got[0].Balance.Minor != 123450 || got[1].Balance.Minor != -1200 || got[1].Line != 5 {
		t.Errorf("balances %v, %v; line %d", got[0].Balance, got[1].Balance, got[1].Line)
	}
}

func TestRefusalsNameLineColumnAndReason(t *testing.T) {
	t.Parallel()
	file := "Customer,Main Email,Balance\nA,a@a.example,1\n,x@x.example,1\nB,no address,1\nC,,one\nD,,1,2,3\nE \"x\",,1\nF,f@f.example,2\n"
	got, refused := read(t, file)
	want := []string{
		`line 3, column "Customer": Enter a name.`,
		`line 4, column "Main Email": Enter an address like name@example.com, or leave this empty.`,
		`line 5, column "Balance": this is not an amount of money`,
		`line 6: the row has 5 cells, the first line 3`,
		`line 7: this is not valid CSV: bare " in non-quoted-field`,
	}
	if diff := cmp.Diff(want, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if len(got) != 2 || got[1].Name != "F" {
		t.Errorf("taken %v", got)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"":                        "The file is empty",
		"Email,Phone\n":           "The column Name is missing",
		"Name,Email,Main email\n": "mean the same",
		"Name,\"x\n":              "cannot be read as CSV",
	} {
		if _, err := csvfile.NewReader(strings.NewReader(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", file, err, want)
		}
	}
	r, err := csvfile.NewReader(strings.NewReader("NAME , zip_code,Notes,,Attachments\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Notes", "Attachments"}, r.Ignored); diff != "" || r.Header(csvfile.ColumnZip) != "zip_code" {
		t.Errorf("ignored %v; zip is %q", r.Ignored, r.Header(csvfile.ColumnZip))
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{"Name,Email,Open balance\nA,a@a.example,\"$1,000.00\"\n", "Name\n\"a\nb\"\n", "\xef\xbb\xbfName\r\nx\r\n", "Name,Name\n", "Name\n\"", "Name,Balance\n\x00,(1)\n\xff,9\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) {
		r, err := csvfile.NewReader(strings.NewReader(file))
		if err != nil {
			return
		}
		for range 10_000 {
			row, refusal, err := r.Read()
			if err != nil {
				return
			}
			if refusal != nil {
				continue
			}
			c, refusal := r.Customer(row, "USD")
			if refusal != nil {
				continue
			}
			form := c.Apply(books.CustomerForm{})
			again, err := form.Check()
			if err != nil || again != form || c.Name == "" || !utf8.ValidString(form.Name) {
				t.Errorf("accepted %+v, which does not pass again: %v", form, err)
			}
		}
	})
}
