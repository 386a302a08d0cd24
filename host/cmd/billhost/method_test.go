package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

var postRoute = regexp.MustCompile(`\{"(GET|POST)", "(/[^"]*)", `)

// mustRoutes are the platform's routes and those of its add-ons' pages, as
// "METHOD /path", with real ids.
func (s *server) mustRoutes(tb testing.TB, customer string) (all []string) {
	tb.Helper()
	all = s.web.Routes()
	files, err := filepath.Glob("../../admin/*.go")
	if err != nil {
		tb.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for _, m := range postRoute.FindAllStringSubmatch(string(text), -1) {
			all = append(all, m[1]+" /admin/marketplace"+strings.ReplaceAll(m[2], "{id}", "customer-portal"))
		}
	}
	for i, route := range all {
		all[i] = strings.NewReplacer("{$}", "", "{id}", customer, "{token}", "nonsense").Replace(route)
	}
	if len(all) < 40 {
		tb.Fatalf("only %d routes", len(all))
	}
	return all
}

// mustRows is every row of the platform but those of what works by itself, and of
// the record of refusals.
func (s *server) mustRows(tb testing.TB) (rows []string) {
	tb.Helper()
	var tables []string
	if err := s.books.db.R.Select(&tables, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`); err != nil {
		tb.Fatal(err)
	}
	for _, table := range tables {
		if slices.Contains([]string{"jobs", "audit", "audit_heads", "staff_tries"}, table) {
			continue
		}
		found, err := s.books.db.R.Queryx(`SELECT * FROM "` + table + `" ORDER BY 1, 2`)
		if err != nil {
			tb.Fatal(err)
		}
		for found.Next() {
			values, err := found.SliceScan()
			if err != nil {
				tb.Fatal(err)
			}
			rows = append(rows, fmt.Sprintln(table, values))
		}
		if err := found.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	return rows
}

// TestSafeMethodsChangeNothing sends GET, HEAD and OPTIONS to each address of the
// platform that a POST answers: no row changes, an address without a page of its
// own is none, and no page tells the session's cookie.
func TestSafeMethodsChangeNothing(t *testing.T) {
	t.Parallel()
	s := mustPlatform(t)
	session, _ := s.mustOwner(t)
	b, err := s.books.BillerBySlug(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	customer, err := s.books.CreateCustomer(t.Context(), b.ID, books.CustomerForm{Name: "Elena Rivera", Email: "elena@riverafamily.example"})
	if err != nil {
		t.Fatal(err)
	}
	routes := s.mustRoutes(t, customer.ID)
	before, posts := s.mustRows(t), 0
	const query = "?name=X&email=x@acme.example&password=heron+lemon+quiet+barge&new=heron+lemon+quiet+barge&session=1&seen=d&version=1.0.0"
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		if method != http.MethodPost {
			continue
		}
		posts++
		for _, safe := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			for _, cookies := range [][]*http.Cookie{nil, {session}} {
				res := s.ask(t.Context(), safe, staffHost, path+query, cookies...)
				body, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				if page := slices.Contains(routes, "GET "+path); res.StatusCode < 300 && !page || res.StatusCode >= 500 {
					t.Errorf("%s %s: %s", safe, path, res.Status)
				}
				if strings.Contains(string(body)+fmt.Sprint(res.Header), session.Value) {
					t.Errorf("%s %s tells the session", safe, path)
				}
			}
		}
	}
	if diff := cmp.Diff(before, s.mustRows(t)); diff != "" || posts < 15 {
		t.Errorf("%d forms, something changed:\n%s", posts, diff)
	}
	for _, route := range routes {
		if _, path, ok := strings.Cut(route, "GET "); ok {
			body, err := io.ReadAll(s.ask(t.Context(), http.MethodGet, staffHost, path, session).Body)
			if err != nil || strings.Contains(string(body), session.Value) {
				t.Errorf("%s tells the session, %v", path, err)
			}
		}
	}
}
