package store_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func elena() books.CustomerForm {
	return books.CustomerForm{
		Number: "NW-1042", Name: " Elena  Rivera ", DisplayName: "Rivera Family", Email: "Elena.Rivera@Example.com",
		Address: sdk.Address{Street: "18 Heron Court", City: "Clearwater", State: "FL", Zip: "33759"},
	}
}

func TestCustomerLife(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		c := mustCustomer(t, w, w.a.ID, elena())
		other := mustCustomer(t, w, w.b.ID, elena())
		got, err := w.Customer(ctx, w.a.ID, c.ID)
		if diff := cmp.Diff(c, got); err != nil || diff != "" {
			t.Errorf("customer %v (-want +got):\n%s", err, diff)
		}
		if c.Name != "Elena Rivera" || c.Version != 1 || c.OpenBalance.Currency != "USD" {
			t.Errorf("created %+v", c)
		}
		_, err = w.Customer(ctx, w.a.ID, other.ID)
		wantCode(t, "another biller's", err, apperr.NotFound)
		_, err = w.UpdateCustomer(ctx, w.a.ID, other.ID, books.FormOf(other))
		wantCode(t, "update another biller's", err, apperr.NotFound)
		wantCode(t, "archive another biller's", w.ArchiveCustomer(ctx, w.a.ID, other.ID, true), apperr.NotFound)

		form := books.FormOf(c)
		same, err := w.UpdateCustomer(ctx, w.a.ID, c.ID, form)
		if err != nil || same.Version != 1 {
			t.Errorf("no change: version %d, %v", same.Version, err)
		}
		form.Email = "elena@new.example"
		c, err = w.UpdateCustomer(ctx, w.a.ID, c.ID, form)
		if err != nil || c.Version != 2 {
			t.Errorf("change: version %d, %v", c.Version, err)
		}
		form.Name = "Late"
		_, err = w.UpdateCustomer(ctx, w.a.ID, c.ID, form)
		wantCode(t, "stale version", err, apperr.Conflict)
		for range 2 {
			if err := w.ArchiveCustomer(ctx, w.a.ID, c.ID, true); err != nil {
				t.Fatal(err)
			}
		}
		found, err := w.CustomersByEmail(ctx, w.a.ID, "ELENA@new.example")
		if err != nil || len(found) != 0 {
			t.Errorf("archived found by email: %v, %v", found, err)
		}
		if err := w.ArchiveCustomer(ctx, w.a.ID, c.ID, false); err != nil {
			t.Fatal(err)
		}
		found, err = w.CustomersByEmail(ctx, w.a.ID, "ELENA@new.example")
		if err != nil || len(found) != 1 || found[0].ID != c.ID || found[0].Version != 4 {
			t.Errorf("found by email: %v, %v", found, err)
		}
		want := []string{sdk.CustomerCreated, sdk.CustomerCreated, sdk.CustomerUpdated, sdk.CustomerArchived, sdk.CustomerUpdated}
		if diff := cmp.Diff(want, w.emitted); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestGarbageKeysAreNotFound(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		for _, key := range []string{"", "none", "\x00", "\xff"} {
			_, err := w.Customer(t.Context(), w.a.ID, key)
			wantCode(t, "customer", err, apperr.NotFound)
			_, err = w.Invoice(t.Context(), w.a.ID, key)
			wantCode(t, "invoice", err, apperr.NotFound)
			_, err = w.BillerBySlug(t.Context(), key)
			wantCode(t, "biller", err, apperr.NotFound)
			_, err = w.Session(t.Context(), key)
			wantCode(t, "session", err, apperr.Unauthenticated)
		}
		_, err := w.ListCustomers(t.Context(), w.a.ID, sdk.CustomerQuery{After: "\x00"})
		wantCode(t, "page", err, apperr.Invalid)
	})
}

func TestCustomerRefusals(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		parent := mustCustomer(t, w, w.a.ID, books.CustomerForm{Name: "Parent"})
		child := mustCustomer(t, w, w.a.ID, books.CustomerForm{Name: "Child", ParentID: parent.ID, Number: "7"})
		foreign := mustCustomer(t, w, w.b.ID, books.CustomerForm{Name: "Foreign", Number: "7"})
		for name, tc := range map[string]struct {
			form  books.CustomerForm
			code  apperr.Code
			field string
		}{
			"no name":         {books.CustomerForm{}, apperr.Invalid, "name"},
			"bad email":       {books.CustomerForm{Name: "N", Email: "a@b@c"}, apperr.Invalid, "email"},
			"taken number":    {books.CustomerForm{Name: "N", Number: "7"}, apperr.Conflict, "number"},
			"foreign parent":  {books.CustomerForm{Name: "N", ParentID: foreign.ID}, apperr.Invalid, "parent"},
			"third level":     {books.CustomerForm{Name: "N", ParentID: child.ID}, apperr.Invalid, "parent"},
			"control letters": {books.CustomerForm{Name: "N\x00"}, apperr.Invalid, "name"},
		} {
			_, err := w.CreateCustomer(t.Context(), w.a.ID, tc.form)
			wantCode(t, name, err, tc.code)
			if apperr.FieldsOf(err)[tc.field] == "" {
				t.Errorf("%s: fields %v, want %s", name, apperr.FieldsOf(err), tc.field)
			}
		}
		up := books.FormOf(parent)
		up.ParentID = foreign.ID
		_, err := w.UpdateCustomer(t.Context(), w.a.ID, parent.ID, up)
		wantCode(t, "parent of a parent", err, apperr.Invalid)
		up.ParentID = child.ID
		_, err = w.UpdateCustomer(t.Context(), w.a.ID, parent.ID, up)
		if got := apperr.FieldsOf(err)["parent"]; got != "7 Child is a sub-customer of Parent, so it cannot be its parent." {
			t.Errorf("cycle: %q, %v", got, err)
		}
		up.Number, up.Email = "7", "a@@b"
		want := []string{"email", "number", "parent"}
		_, err = w.UpdateCustomer(t.Context(), w.a.ID, parent.ID, up)
		for what, err := range map[string]error{"update": err, "check": w.CheckCustomer(t.Context(), w.a.ID, parent.ID, up)} {
			wantCode(t, what, err, apperr.Invalid)
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(apperr.FieldsOf(err)))); diff != "" {
				t.Errorf("%s: fields (-want +got):\n%s", what, diff)
			}
		}
		wantCode(t, "another biller's", w.CheckCustomer(t.Context(), w.b.ID, parent.ID, up), apperr.NotFound)
		wantCode(t, "own number", w.CheckCustomer(t.Context(), w.a.ID, child.ID, books.FormOf(child)), "")
		subs, err := w.SubCustomers(t.Context(), w.a.ID, parent.ID)
		if err != nil || len(subs) != 1 || subs[0].ID != child.ID {
			t.Errorf("sub-customers %v, %v", subs, err)
		}
		subs, err = w.SubCustomers(t.Context(), w.b.ID, parent.ID)
		if err != nil || len(subs) != 0 {
			t.Errorf("another biller sees sub-customers %v, %v", subs, err)
		}
	})
}

func TestConcurrentUpdatesHaveOneWinner(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := mustCustomer(t, w, w.a.ID, elena())
		var mu sync.Mutex
		wins := 0
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				form := books.FormOf(c)
				form.Phone = fmt.Sprintf("555-01%02d", i)
				_, err := w.UpdateCustomer(t.Context(), w.a.ID, c.ID, form)
				if err == nil {
					mu.Lock()
					wins++
					mu.Unlock()
				} else if !apperr.Is(err, apperr.Conflict) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if wins != 1 {
			t.Errorf("%d winners, want 1", wins)
		}
	})
}

func TestFindCustomers(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for i := range 25 {
			mustCustomer(t, w, w.a.ID, books.CustomerForm{Name: fmt.Sprintf("Plain %02d", i)})
		}
		mustCustomer(t, w, w.a.ID, elena())
		mustCustomer(t, w, w.a.ID, books.CustomerForm{Name: "José Müller", Email: "jm@muller-pools.example", Number: "NW-2000"})
		mustCustomer(t, w, w.b.ID, books.CustomerForm{Name: "Plain foreign", Email: "elena.rivera@example.com"})
		for search, want := range map[string]int{
			"": 27, "plain": 25, "pla 03": 1, "elena": 1, "ELE riv": 1, "family": 1, "lena": 0, "elena.r": 1,
			"jose": 1, "müll": 1, "jm@muller-p": 1, "@": 0, "nw-20": 1, "%": 0, "'<": 0, "'<pla": 25, "plain'": 25, "foreign": 0, "plain elena": 0,
		} {
			got, err := w.FindCustomers(ctx, w.a.ID, books.CustomerFilter{Search: search, Limit: 200})
			if err != nil || len(got.Customers) != want {
				t.Errorf("search %q: %d customers, %v; want %d", search, len(got.Customers), err, want)
			}
		}
		var seen []string
		f := books.CustomerFilter{Limit: 10}
		for pages := 1; ; pages++ {
			list, err := w.FindCustomers(ctx, w.a.ID, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range list.Customers {
				seen = append(seen, c.DisplayName)
			}
			if f.After = list.Next; f.After == "" {
				if pages != 3 {
					t.Errorf("%d pages, want 3", pages)
				}
				break
			}
		}
		var back []string
		last, err := w.FindCustomers(ctx, w.a.ID, books.CustomerFilter{Limit: 10, After: afterTwo(t, w)})
		if err != nil || last.First != 21 || last.Total != 27 || last.Next != "" {
			t.Errorf("last page: %d of %d, next %q, %v", last.First, last.Total, last.Next, err)
		}
		for prev := last.Prev; prev != ""; {
			list, err := w.FindCustomers(ctx, w.a.ID, books.CustomerFilter{Limit: 10, Before: prev})
			if err != nil || len(list.Customers) != 10 || list.Next == "" || list.Total != 27 {
				t.Fatalf("back: %d customers, next %q, %v", len(list.Customers), list.Next, err)
			}
			var names []string
			for _, c := range list.Customers {
				names = append(names, c.DisplayName)
			}
			back = append(names, back...)
			prev = list.Prev
		}
		if diff := cmp.Diff(seen[:20], back); diff != "" {
			t.Errorf("back (-forth +back):\n%s", diff)
		}
		short, err := w.FindCustomers(ctx, w.a.ID, books.CustomerFilter{Limit: 15, Before: last.Prev, Search: "plain"})
		if err != nil || len(short.Customers) != 15 || short.Total != 25 {
			t.Errorf("back with a search: %d of %d, %v", len(short.Customers), short.Total, err)
		}
		if len(seen) != 27 || seen[0] != "José Müller" || seen[26] != "Rivera Family" {
			t.Errorf("paged through %v", seen)
		}
		_, err = w.FindCustomers(ctx, w.a.ID, books.CustomerFilter{After: "garbage"})
		wantCode(t, "garbage cursor", err, apperr.Invalid)
		_, err = w.FindCustomers(ctx, w.a.ID, books.CustomerFilter{Before: "garbage"})
		wantCode(t, "garbage cursor back", err, apperr.Invalid)
	})
}

// afterTwo is the cursor of the third page of ten.
func afterTwo(tb testing.TB, w *world) string {
	tb.Helper()
	f := books.CustomerFilter{Limit: 10}
	for range 2 {
		list, err := w.FindCustomers(tb.Context(), w.a.ID, f)
		if err != nil {
			tb.Fatal(err)
		}
		f.After = list.Next
	}
	return f.After
}

func TestListCustomersPagesById(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		for i := range 5 {
			c := mustCustomer(t, w, w.a.ID, books.CustomerForm{Name: fmt.Sprint("C", i)})
			mustCustomer(t, w, w.b.ID, books.CustomerForm{Name: fmt.Sprint("F", i)})
			if i == 2 {
				if err := w.ArchiveCustomer(t.Context(), w.a.ID, c.ID, true); err != nil {
					t.Fatal(err)
				}
			}
		}
		var names []string
		q := sdk.CustomerQuery{Limit: 2}
		for {
			page, err := w.ListCustomers(t.Context(), w.a.ID, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range page.Customers {
				names = append(names, c.Name)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		if diff := cmp.Diff([]string{"C0", "C1", "C2", "C3", "C4"}, names); diff != "" {
			t.Error(diff)
		}
		_, err := w.ListCustomers(t.Context(), w.a.ID, sdk.CustomerQuery{Limit: 1001})
		wantCode(t, "limit", err, apperr.Invalid)
	})
}

func invoice(number string, due time.Time, cents, paid int64) sdk.Invoice {
	usd := func(n int64) sdk.Money { return sdk.Money{Minor: n, Currency: "USD"} }
	return books.Total(sdk.Invoice{
		Number: number, Title: "Service", IssuedOn: due.AddDate(0, 0, -14), DueOn: due, Tax: usd(7), Paid: usd(paid),
		Lines: []sdk.InvoiceLine{{Description: "Visit", QuantityMilli: 1500, UnitPrice: usd(cents)}},
	})
}

func TestLoadInvoicesAndBalance(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		day := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		entry := store.Entry{
			Name:     "Elena Rivera",
			Apply:    func(books.CustomerForm) books.CustomerForm { return elena() },
			Invoices: []sdk.Invoice{invoice("2", day, 1000, 0), invoice("1", day.AddDate(0, 0, 1), 1000, 100), invoice("3", day, 100, 157)},
		}
		for _, biller := range []string{w.a.ID, w.b.ID} {
			if _, err := w.Load(ctx, biller, []store.Entry{entry}); err != nil {
				t.Fatal(err)
			}
		}
		c := mustFind(t, w, w.a.ID, "NW-1042")
		if want := int64(1507 + 1407); c.OpenBalance.Minor != want {
			t.Errorf("open balance %d, want %d", c.OpenBalance.Minor, want)
		}
		var numbers []string
		q := sdk.InvoiceQuery{CustomerID: c.ID, OpenOnly: true, Limit: 1}
		for {
			page, err := w.ListInvoices(ctx, w.a.ID, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range page.Invoices {
				numbers = append(numbers, i.Number)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		if diff := cmp.Diff([]string{"2", "1"}, numbers); diff != "" {
			t.Error(diff)
		}
		q = sdk.InvoiceQuery{CustomerID: c.ID}
		_, err := w.ListInvoices(ctx, w.b.ID, q)
		wantCode(t, "another biller's customer", err, apperr.NotFound)
		page, err := w.ListInvoices(ctx, w.a.ID, q)
		if err != nil || len(page.Invoices) != 3 {
			t.Fatalf("all invoices: %v, %v", page, err)
		}
		inv, err := w.Invoice(ctx, w.a.ID, page.Invoices[0].ID)
		if err != nil || len(inv.Lines) != 1 || inv.Lines[0].Amount.Minor != 1500 || inv.Total.Minor != 1507 {
			t.Errorf("invoice %+v, %v", inv, err)
		}
		_, err = w.Invoice(ctx, w.b.ID, inv.ID)
		wantCode(t, "another biller's invoice", err, apperr.NotFound)
		totals, err := w.Totals(ctx, w.a.ID, day.AddDate(0, 0, 1))
		if err != nil || totals != (store.BillerTotals{Customers: 1, OpenInvoices: 2, OpenBalance: 2914, Overdue: 1507}) {
			t.Errorf("totals %+v, %v", totals, err)
		}
		late, err := w.OverdueInvoices(ctx, w.a.ID, day.AddDate(0, 0, 1), 5)
		if err != nil || len(late) != 1 || late[0].Number != "2" {
			t.Errorf("overdue %v, %v", late, err)
		}
	})
}

func mustFind(tb testing.TB, w *world, biller, label string) sdk.Customer {
	tb.Helper()
	c, err := w.FindByLabel(tb.Context(), biller, label)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestLoadTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		load := func(minor int64) store.Outcome {
			t.Helper()
			form := func(f books.CustomerForm) books.CustomerForm {
				f.Name, f.Email = "Acme Inc", "a@acme.example"
				return f
			}
			out, err := w.Load(ctx, w.a.ID, []store.Entry{{Name: "ACME  inc", Apply: form, Balance: &sdk.Money{Minor: minor, Currency: "USD"}}})
			if err != nil {
				t.Fatal(err)
			}
			return out[0]
		}
		for i, step := range []struct {
			minor int64
			want  store.Outcome
		}{{1250, store.Created}, {1250, store.Unchanged}, {-300, store.Changed}, {-300, store.Unchanged}, {0, store.Changed}, {0, store.Unchanged}, {99, store.Changed}} {
			if got := load(step.minor); got != step.want {
				t.Errorf("step %d: %s, want %s", i, got, step.want)
			}
			if c := mustFind(t, w, w.a.ID, "acme inc"); c.OpenBalance.Minor != step.minor {
				t.Errorf("step %d: balance %d, want %d", i, c.OpenBalance.Minor, step.minor)
			}
		}
		mustCustomer(t, w, w.a.ID, books.CustomerForm{Name: "acme inc"})
		_, err := w.Load(ctx, w.a.ID, []store.Entry{{Name: "Acme Inc", Apply: func(f books.CustomerForm) books.CustomerForm { return f }}})
		wantCode(t, "two customers of one name", err, apperr.Invalid)
		_, err = w.FindByLabel(ctx, w.a.ID, "Acme inc")
		wantCode(t, "ambiguous label", err, apperr.Conflict)
		_, err = w.FindByLabel(ctx, w.b.ID, "Acme inc")
		wantCode(t, "another biller's label", err, apperr.NotFound)
		_, err = w.FindByLabel(ctx, w.a.ID, "Acme inc\xf0\x9f")
		wantCode(t, "half a letter", err, apperr.NotFound)
	})
}
