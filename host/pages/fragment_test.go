package pages

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

func testFrame(page string) frame {
	u, err := url.Parse("https://staff.example" + page)
	if err != nil {
		panic(err)
	}
	return frame{
		addonID: "demo", page: u, staffPath: "/admin", addonPath: "/admin/addons/demo",
		staticBase: "/addon-static/demo/0123456789ab",
		portal:     &url.URL{Scheme: "https", Host: "pay.example", Path: "/portal/northwind"},
	}
}

func TestFragment(t *testing.T) {
	t.Parallel()
	const own, slot = "/admin/addons/demo/list", "/admin/customers/7?tab=demo"
	tests := []struct{ name, page, in, want string }{
		{"plain", own, `<h1 class="a b">Hi</h1><p>x &amp; y</p>`, `<h1 class="a b">Hi</h1><p>x &amp; y</p>`},
		{"whole document", own, `<!doctype html><html><head><title>T</title><meta charset=utf-8></head><body class=x><main><p>a</p></main></body></html>`, `<p>a</p>`},
		{"script", own, `a<script>alert(1)</script>b<SCRIPT src=//x></SCRIPT>`, `ab`},
		{"style", own, `<style>*{}</style><p style="color:red">a</p>`, `<p>a</p>`},
		{"events", own, `<p onclick=x() OnMouseOver=y()>a</p><svg onload=x()></svg>`, `<p>a</p><svg></svg>`},
		{"frames", own, `<iframe src=x>a</iframe><object data=x>b</object><embed src=x><base href=//x><meta http-equiv=refresh content=0>z`, `z`},
		{"unknown tag", own, `<blink>a</blink><x-y><b>c</b></x-y>`, `a<b>c</b>`},
		{"comment", own, `a<!-- <script> -->b`, `ab`},
		{"ids", own, `<label for="e" id="l">E</label><input id="e" aria-describedby="h l"><a href="#e">x</a>`,
			`<label for="demo-e" id="demo-l">E</label><input id="demo-e" aria-describedby="demo-h demo-l"/><a href="#demo-e">x</a>`},
		{"links in the staff area", own, `<a href="/admin/customers/7">a</a><a href="other?x=1">b</a><a href="?page=2">c</a>`,
			`<a href="/admin/customers/7">a</a><a href="/admin/addons/demo/other?x=1">b</a><a href="?page=2">c</a>`},
		{"links to the portal", own, `<a href="https://pay.example/portal/northwind/x">a</a><a href="https://pay.example/portal/other/">b</a>`,
			`<a href="https://pay.example/portal/northwind/x">a</a><a>b</a>`},
		{"mail and phone", own, `<a href="mailto:a@b.example">a</a><a href="tel:+1">b</a>`, `<a href="mailto:a@b.example">a</a><a href="tel:+1">b</a>`},
		{"links elsewhere", own, `<a href="https://evil.example/admin/">a</a><a href="//evil.example/admin">b</a><a href="javascript:alert(1)">c</a><a href="/sign-out">d</a><a href="/admin/../x">e</a><a href="data:text/html,x">f</a><a href=" java&#10;script:x">g</a><a href="/admin/\..\x">h</a>`,
			`<a>a</a><a>b</a><a>c</a><a>d</a><a>e</a><a>f</a><a>g</a><a>h</a>`},
		{"new window", own, `<a href="/admin" target="_blank" rel="opener">a</a><a target=_top>b</a>`, `<a href="/admin" target="_blank" rel="noopener noreferrer">a</a><a>b</a>`},
		{"own form", own, `<form method=POST action="send"><button>Go</button></form>`, `<form method="post" action="/admin/addons/demo/send"><button>Go</button></form>`},
		{"form to itself", own, `<form method=post><input name=a></form>`, `<form method="post" action="/admin/addons/demo/list"><input name="a"/></form>`},
		{"form in a slot to the add-on", slot, `<form method=post action="/admin/addons/demo/send"><button>Go</button></form>`, `<form method="post" action="/admin/addons/demo/send"><button>Go</button></form>`},
		{"form in a slot to the platform", slot, `<form method=post><button>Go</button></form><form method=post action="/admin/staff/add"><input name=a></form>`, `<button>Go</button><input name="a"/>`},
		{"form to another add-on", own, `<form method=post action="/admin/addons/demo2/x">a</form><form method=post action="https://evil.example/admin/addons/demo/">b</form>`, `ab`},
		{"search form in a slot", slot, `<form action="?"><input type=search name=q></form><form action=""><input name=q></form>`, `<form action=""><input type="search" name="q"/></form><form action=""><input name="q"/></form>`},
		{"formaction", own, `<form method=post action=x><button formaction="/admin/staff" formmethod=get form=f>Go</button></form>`,
			`<form method="post" action="/admin/addons/demo/x"><button form="demo-f">Go</button></form>`},
		{"inputs", own, `<input type=file><input type=image src=x><input TYPE=Email value="a&quot;b" autofocus>`, `<input type="email" value="a&#34;b"/>`},
		{"copy button", own, `<button type=button hidden data-copy="#link" data-copied="Copied">Copy</button><button data-copy="#link">x</button>`,
			`<button type="button" hidden="" data-copy="#demo-link" data-copied="Copied">Copy</button><button>x</button>`},
		{"images", own, `<img src="/addon-static/demo/0123456789ab/a.png" alt=A onerror=x><img src="https://evil.example/p.gif" alt=P>`, `<img src="/addon-static/demo/0123456789ab/a.png" alt="A"/>`},
		{"svg", own, `<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" xmlns="http://www.w3.org/2000/svg"><path d="m6 4 4 4-4 4" fill="var(--x)"/><rect fill="url(http://x)"/><g transform="rotate(4)"><a href=x>b</a><use href="#x"/><foreignObject><p>x</p></foreignObject><style>x</style><script>y</script></g><title>T<b>u</b></title></svg>`,
			`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="m6 4 4 4-4 4" fill="var(--x)"></path><rect></rect><g transform="rotate(4)"></g><title>Tu</title></svg>`},
		{"math and templates", own, `<math><mi>x</mi></math><template><p>a</p></template><noscript><p>b</p></noscript>`, ``},
		{"table", own, `<table class="table"><thead><tr><th scope=col aria-sort=ascending><a href="?sort=name">N</a></th></tr></thead><tbody><tr><td data-label="N">1</td></tr></tbody></table>`,
			`<table class="table"><thead><tr><th scope="col" aria-sort="ascending"><a href="?sort=name">N</a></th></tr></thead><tbody><tr><td data-label="N">1</td></tr></tbody></table>`},
		{"mutation", own, `<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">`, `<svg></svg><p></p>&#34;&gt;`},
		{"textarea", own, "<textarea name=t>\n\n</p><script></textarea>", "<textarea name=\"t\">\n\n&lt;/p&gt;&lt;script&gt;</textarea>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, got, err := testFrame(tt.page).filter([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFragmentTitle(t *testing.T) {
	t.Parallel()
	title, rest, err := testFrame("/admin/addons/demo/").filter([]byte("<title> A\n &amp; B </title><title>C</title><p>x</p><svg><title>no</title></svg>"))
	if err != nil || title != "A & B" || strings.Contains(rest, "A &") {
		t.Errorf("title = %q, rest = %q, err = %v", title, rest, err)
	}
}

func TestFragmentDropsWhatNestsTooDeep(t *testing.T) {
	t.Parallel()
	_, got, err := testFrame("/admin/addons/demo/").filter([]byte(strings.Repeat("<div>", 400) + "deep"))
	if err != nil || strings.Contains(got, "deep") {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func FuzzFragment(f *testing.F) {
	for _, seed := range []string{
		`<p id=a onclick=x>a</p><form method=post action=x><input name=a></form>`, `<svg><path d="m1 1"/><title>x</title></svg>`,
		`<table><tr><td><a href="?x">y</a></table>`, `<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">`,
		`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		_, got, err := testFrame("/admin/addons/demo/").filter([]byte(source))
		if err != nil {
			return
		}
		nodes, err := html.ParseFragment(strings.NewReader(got), &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body})
		if err != nil {
			t.Fatal(err)
		}
		for _, root := range nodes {
			checkHarmless(t, root)
			for n := range root.Descendants() {
				checkHarmless(t, n)
			}
		}
	})
}

func checkHarmless(t *testing.T, n *html.Node) {
	t.Helper()
	if n.Type != html.ElementNode {
		return
	}
	if judge(n.Namespace, n.Data) != keep {
		t.Errorf("kept <%s> of namespace %q", n.Data, n.Namespace)
	}
	for _, a := range n.Attr {
		if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" || a.Key == "formaction" {
			t.Errorf("kept %s on <%s>", a.Key, n.Data)
		}
		if a.Key == "href" || a.Key == "action" || a.Key == "src" {
			if u, err := url.Parse(a.Val); err != nil || u.Scheme == "javascript" || u.Scheme == "data" || strings.HasPrefix(a.Val, "//") {
				t.Errorf("kept %s=%q", a.Key, a.Val)
			}
		}
	}
}
