package portal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// state is what moves by events; none is what nothing is kept of.
type state[S, E ~string] interface {
	~string
	Next(E) (S, bool)
}

// TestTransitions holds every state and every event: a row for each state, a
// column for each event, and "-" where the event cannot happen. A state or an
// event that a table lacks fails the test, so does one that is no constant.
func TestTransitions(t *testing.T) {
	t.Parallel()
	holds[portal.InvitationState, portal.InvitationEvent](t, "InvitationState", "InvitationEvent", `
		              send    mail sent   mail failed  open    start    accept    expire   revoke   free
		none          queued  -           -            -       -        -         -        -        -
		queued        queued  sent        failed       opened  started  accepted  expired  revoked  queued
		sent          queued  sent        sent         opened  started  accepted  expired  revoked  sent
		delivered     queued  delivered   delivered    opened  started  accepted  expired  revoked  delivered
		bounced       queued  bounced     bounced      opened  started  accepted  expired  revoked  bounced
		complained    queued  complained  complained   opened  started  accepted  expired  revoked  complained
		opened        queued  opened      opened       opened  started  accepted  expired  revoked  opened
		started       queued  started     started      started  started  accepted  expired  revoked  opened
		failed        queued  sent        failed       opened  started  accepted  expired  revoked  failed
		expired       queued  -           -            -       -        -         -        -        -
		accepted      -       -           -            -       -        -         -        -        -
		revoked       -       -           -            -       -        -         -        -        -`)
	holds[portal.Step, portal.SignUpEvent](t, "Step", "SignUpEvent", `
		          register  choose   resend   confirm  accept  void
		register  profile   -        -        -        -       -
		profile   -         confirm  -        -        -       void
		confirm   -         confirm  confirm  accept   -       void
		accept    -         -        -        -        done    -
		done      -         -        -        -        -       -
		void      -         -        -        -        -       -`)
	holds[portal.ProofStep, portal.ProofEvent](t, "ProofStep", "ProofEvent", `
		        ask    resend  confirm  finish  end
		none    asked  -       -        -       -
		asked   -      asked   proven   -       void
		proven  -      -       -        done    void
		done    -      -       -        -       -
		void    -      -       -        -       -`)
	holds[portal.UserState, portal.UserEvent](t, "UserState", "UserEvent", `
		          confirm  disable   enable
		pending   active   -         -
		active    -        disabled  -
		disabled  -        -         active`)
	holds[portal.GrantState, portal.GrantEvent](t, "GrantState", "GrantEvent", `
		           add     dismiss    remove
		none       active  dismissed  -
		active     -       -          removed
		removed    active  -          -
		dismissed  active  -          -
		suspended  -       -          -`)
	holds[portal.AccessRequestState, portal.AccessEvent](t, "AccessRequestState", "AccessEvent", `
		          ask   approve   decline   expire
		none      open  -         -         -
		open      -     approved  declined  expired
		approved  -     -         -         -
		declined  -     -         -         -
		expired   -     -         -         -`)
}

// holds compares every state and event with the table.
func holds[S state[S, E], E ~string](t *testing.T, states, events, table string) {
	t.Helper()
	var rows [][]string
	for line := range strings.Lines(strings.TrimSpace(table)) {
		rows = append(rows, regexp.MustCompile(`\s{2,}`).Split(strings.TrimSpace(line), -1))
	}
	columns := rows[0]
	wantSame(t, events, columns, constants(t, events))
	var listed []string
	for _, row := range rows[1:] {
		listed = append(listed, row[0])
		if len(row) != 1+len(columns) {
			t.Fatalf("%s: row %v", states, row)
		}
		from := named[S](row[0])
		for i, want := range row[1:] {
			next, ok := from.Next(E(columns[i]))
			if ok != (want != "-") || ok && next != named[S](want) || !ok && next != from {
				t.Errorf("%s: %s + %s = %q, %v, want %s", states, row[0], columns[i], next, ok, want)
			}
		}
		for _, e := range []E{"", "nonsense"} {
			if next, ok := from.Next(e); ok || next != from {
				t.Errorf("%s: %s + %q = %q, %v", states, row[0], e, next, ok)
			}
		}
	}
	wantSame(t, states, listed, constants(t, states))
	for _, e := range columns {
		if next, ok := S("nonsense").Next(E(e)); ok {
			t.Errorf("%s: nonsense + %s = %q", states, e, next)
		}
	}
}

func named[S ~string](name string) S {
	if name == "none" {
		return ""
	}
	return S(name)
}

func wantSame(t *testing.T, what string, got, want []string) {
	t.Helper()
	got = slices.Sorted(slices.Values(got))
	if !slices.Equal(got, want) {
		t.Errorf("the table has %s %v, the package %v", what, got, want)
	}
}

// constants are the values of all constants of a type of package portal, sorted,
// "none" for the empty one.
func constants(tb testing.TB, typeName string) (values []string) {
	tb.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		tb.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			tb.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 {
				return true
			}
			name, ok := v.Type.(*ast.Ident)
			if !ok || name.Name != typeName {
				return true
			}
			value, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				tb.Fatal(err)
			}
			if value == "" {
				value = "none"
			}
			values = append(values, value)
			return true
		})
	}
	slices.Sort(values)
	return values
}

// TestSuspendedGrants: archiving suspends what is active, and nothing else.
func TestSuspendedGrants(t *testing.T) {
	t.Parallel()
	for _, s := range constants(t, "GrantState") {
		from, want := named[portal.GrantState](s), named[portal.GrantState](s)
		if from == portal.GrantActive {
			want = portal.GrantSuspended
		}
		if got := from.While(true); got != want || from.While(false) != from {
			t.Errorf("%s while archived is %s, else %s", s, got, from.While(false))
		}
	}
}

// TestOpenInvitations: those that can be taken up are those that can be revoked.
func TestOpenInvitations(t *testing.T) {
	t.Parallel()
	for _, s := range constants(t, "InvitationState") {
		from := named[portal.InvitationState](s)
		if _, ok := from.Next(portal.InvitationRevoke); ok != from.Open() {
			t.Errorf("%s: open is %v, to be revoked %v", s, from.Open(), ok)
		}
	}
}
