package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// quiet lets a fuzz target use what was started before it.
type quiet struct{ testing.TB }

func (quiet) Helper()           {}
func (quiet) Output() io.Writer { return io.Discard }

// FuzzForms posts any body to every form of the portal, without a session as a
// customer and without an ability as staff: no answer is a failure of ours, and
// nothing that a person owns is changed.
func FuzzForms(f *testing.F) {
	cfg := dbtest.SQLite(f)
	r := newRig(quiet{f}, cfg, nil)
	db := dbtest.MustOpen(f, cfg)
	link := r.invited("c3", "treasurer@harborview.example")
	r.registered("c1", elena)
	r.eventually("the mails are done", func() bool { return r.status("c1") == "Registered" && r.status("c3") == "Sent" })
	posts := postRoutes(f)
	for i := range posts {
		f.Add(i, "none", "", "")
		f.Add(i, "%2e%2e", "email=elena%40riverafamily.example&password=wrong+wrong+wrong&code=123456&current=x&next=//evil.example", "made-up")
		f.Add(i, "x'--", "a=%00&a=%ff&profile=c1&profile=all&do=publish&text=x&on=2026-11-22&base=1", "\xff;=")
	}
	f.Add(0, strings.TrimPrefix(link, "/welcome/"), "name=Jo", "")
	before := mustOwned(f, db)
	f.Fuzz(func(t *testing.T, n int, segment, body, cookie string) {
		post := posts[uint(n)%uint(len(posts))]
		if strings.Contains(link, segment) && len(segment) > 20 {
			segment = "none" // the secret itself is not guessed
		}
		res := post.send(t, r, segment, body, cookie)
		if res.StatusCode >= 500 {
			t.Errorf("POST %s with %q: status %d", post.path, body, res.StatusCode)
		}
		if after := mustOwned(t, db); after != before {
			t.Errorf("POST %s with segment %q, body %q changed\n%s\nto\n%s", post.path, segment, body, before, after)
		}
		if _, err := db.W.Exec(`DELETE FROM throttles WHERE biller_id = $1`, northwind); err != nil {
			t.Fatal(err)
		}
	})
}

// post is a form; staff may not send it with the abilities that send has.
type post struct {
	route
	surface wire.Surface
}

func postRoutes(tb testing.TB) (posts []post) {
	tb.Helper()
	public, staff := mustRoutes(tb)
	for _, r := range public {
		if r.method == http.MethodPost {
			posts = append(posts, post{r, wire.Public})
		}
	}
	for _, r := range staff {
		if r.method == http.MethodPost {
			posts = append(posts, post{r, wire.Staff})
		}
	}
	return posts
}

func (p post) send(t *testing.T, r *rig, segment, body, cookie string) *http.Response {
	t.Helper()
	path := pathParam.ReplaceAllLiteralString(p.path, url.PathEscape(segment))
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	u, err := url.Parse(path)
	if err != nil {
		t.Skipf("no browser sends this path: %v", err)
	}
	req.URL, req.RequestURI = u, path
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, name := range []string{"session", "signup", "proof"} {
		req.AddCookie(&http.Cookie{Name: name, Value: cookie})
	}
	res := r.Do(p.surface, p.call(r), req)
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res
}

// call is a customer's, or of staff with every ability but the one that is needed.
func (p post) call(r *rig) sdk.Call {
	if p.surface == wire.Public {
		return r.PublicCall(northwind)
	}
	var others []string
	for _, a := range []string{portal.AbilityInvite, portal.AbilityConfigure, portal.AbilityReport} {
		if a != p.needs {
			others = append(others, a)
		}
	}
	return r.StaffCall(northwind, others...)
}

// mustOwned is all that belongs to people and businesses, as text: not what is
// counted, asked for or recorded on the way.
func mustOwned(tb testing.TB, db *sqldb.DB) string {
	tb.Helper()
	var all bytes.Buffer
	for _, table := range []string{"customers", "invitations", "users", "grants", "sessions", "signups", "signup_customers", "acceptances", "agreements", "address_changes", "access_requests"} {
		rows, err := db.R.Queryx(`SELECT * FROM `+table+` WHERE biller_id = $1 ORDER BY 1, 2, 3`, northwind)
		if err != nil {
			tb.Fatal(err)
		}
		for rows.Next() {
			values, err := rows.SliceScan()
			if err != nil {
				tb.Fatal(err)
			}
			fmt.Fprintln(&all, table, values)
		}
		if err := rows.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	return all.String()
}
