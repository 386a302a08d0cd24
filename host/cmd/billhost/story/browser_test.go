package story_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long anything may take that a test waits for: machines that test
// are busy.
const patience = 2 * time.Minute

// chromium is one process shared by all tests; each person gets a browser
// context of their own, so cookies never mix.
var chromium struct {
	once sync.Once
	ctx  context.Context
	stop func()
	err  error
}

func startBrowser() (context.Context, error) {
	chromium.once.Do(func() {
		alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(),
			chromedp.ExecPath("chromium"), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
			chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
			chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
			chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
			chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("hide-scrollbars", true),
		)
		ctx, stopCtx := chromedp.NewContext(alloc)
		chromium.ctx = ctx
		chromium.stop = func() { stopCtx(); stopAlloc() }
		chromium.err = chromedp.Do(ctx)
	})
	return chromium.ctx, chromium.err
}

func stopBrowser() {
	if chromium.stop != nil {
		chromium.stop()
	}
}

// person sits before a browser.
type person struct {
	tb      testing.TB
	ctx     context.Context
	scripts bool
	// seen are the pages already audited, by name.
	seen map[string]bool
}

// mustPerson opens a fresh browser, with scripts or without.
func mustPerson(tb testing.TB, scripts bool) *person {
	tb.Helper()
	parent, err := startBrowser()
	if err != nil {
		tb.Fatalf("start Chromium: %v (make test installs it)", err)
	}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	tb.Cleanup(cancel)
	// The first call makes the tab and ties it to its context: not to a timeout's.
	if err := chromedp.Do(ctx); err != nil {
		tb.Fatal(err)
	}
	ctx, cancelTime := context.WithTimeout(ctx, 12*time.Minute)
	tb.Cleanup(cancelTime)
	p := &person{tb: tb, ctx: ctx, scripts: scripts, seen: map[string]bool{}}
	p.do(chromedp.EmulateViewport(1280, 900))
	if !scripts {
		if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
			tb.Fatal(err)
		}
	}
	return p
}

func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.tb.Fatalf("%v\nat %s\n%s", err, p.location(), p.text())
	}
}

// visit opens the address.
func (p *person) visit(address string) {
	p.tb.Helper()
	p.do(chromedp.Navigate(address))
}

// quoted writes s as an XPath string literal; s holds no double quote.
func quoted(s string) string { return `"` + s + `"` }

// press clicks the button or link that reads so (what only screen readers hear
// may follow), in main if there is one, and waits for the page behind it.
func (p *person) press(text string) {
	p.tb.Helper()
	one := fmt.Sprintf(`*[self::button or self::a or self::summary][normalize-space(.) = %[1]s or normalize-space(text()[normalize-space()][1]) = %[1]s][not(@hidden)]`, quoted(text))
	x := fmt.Sprintf(`//main//%[1]s | //%[1]s[not(//main//%[1]s)]`, one)
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.Search(x))); err != nil {
		p.tb.Fatalf("press %q: %v\nat %s\n%s", text, err, p.location(), p.text())
	}
}

// fill types into the field with the label.
func (p *person) fill(label, value string) {
	p.tb.Helper()
	id := fmt.Sprintf(`//input[@id = //label[normalize-space(text()[1]) = %s]/@for]`, quoted(label))
	p.do(chromedp.Clear(chromedp.Search(id)), chromedp.SendKeys(chromedp.Search(id), value))
}

// location is the address shown.
func (p *person) location() string {
	at, err := chromedp.Run(p.ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return at
}

// text is what main shows.
func (p *person) text() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.TextContent(chromedp.CSS("main")))
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(s), " ")
}

// sees fails the test unless main shows the text.
func (p *person) sees(want string) {
	p.tb.Helper()
	if got := p.text(); !strings.Contains(got, want) {
		p.tb.Fatalf("%s does not show %q:\n%s", p.location(), want, got)
	}
}

// heading fails the test unless the one <h1> is this.
func (p *person) heading(want string) {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.TextContent(chromedp.CSS("h1")))
	if got = strings.Join(strings.Fields(got), " "); err != nil || got != want {
		p.tb.Fatalf("%s: <h1> is %q (%v), want %q\n%s", p.location(), got, err, want, p.text())
	}
}

// until waits for a page with this <h1>, to which others may lead by themselves.
func (p *person) until(want string) {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		// A page that is just being replaced has no heading to tell.
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("h1")?.textContent ?? ""`))
		if err == nil && strings.Join(strings.Fields(got), " ") == want {
			return
		}
		select {
		case <-ctx.Done():
			p.tb.Fatalf("%s: <h1> is %q (%v), want %q\n%s", p.location(), got, err, want, p.text())
		case <-again.C:
		}
	}
}

// look audits the page with axe-core at both widths and themes, and takes the
// screenshots asked for by -shots. Each name is looked at once.
func (p *person) look(name string) {
	p.tb.Helper()
	if !p.scripts || p.seen[name] {
		return
	}
	p.seen[name] = true
	for _, width := range []int64{390, 1280} {
		for _, theme := range []string{"light", "dark"} {
			p.emulate(width, theme)
			p.audit(fmt.Sprintf("%s at %d px, %s", name, width, theme))
			p.shoot(fmt.Sprintf("%s-%d-%s.png", name, width, theme))
		}
	}
	p.emulate(1280, "light")
}

// shots takes the screenshots only: of pages that do not stay as they are.
func (p *person) shots(name string) {
	p.tb.Helper()
	for _, width := range []int64{390, 1280} {
		for _, theme := range []string{"light", "dark"} {
			p.emulate(width, theme)
			p.shoot(fmt.Sprintf("%s-%d-%s.png", name, width, theme))
		}
	}
	p.emulate(1280, "light")
}

func (p *person) emulate(width int64, theme string) {
	p.tb.Helper()
	p.do(chromedp.EmulateViewport(width, 900))
	params := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, params); err != nil {
		p.tb.Fatal(err)
	}
}

// axeSource is axe-core, which make test installs from npm.
var axeSource = sync.OnceValues(func() (string, error) {
	src, err := os.ReadFile(filepath.Join(built.root, ".ci", "node_modules", "axe-core", "axe.min.js"))
	return string(src), err
})

const axeRun = `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v =>
	({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html.slice(0, 200))}))))`

func (p *person) audit(name string) {
	p.tb.Helper()
	src, err := axeSource()
	if err != nil {
		p.tb.Fatalf("axe-core is missing (make npm installs it): %v", err)
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[any](src+";0", chromedp.EvalAsValue)); err != nil {
		p.tb.Fatalf("load axe-core: %v", err)
	}
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](axeRun, chromedp.EvalAwaitPromise))
	if err != nil {
		p.tb.Fatalf("run axe-core: %v", err)
	}
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(out), &violations); err != nil {
		p.tb.Fatal(err)
	}
	for _, v := range violations {
		p.tb.Errorf("%s: axe %s: %s\n  %s", name, v.ID, v.Help, strings.Join(v.Nodes, "\n  "))
	}
	wide, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	if err != nil || wide > 0 {
		p.tb.Errorf("%s: the page scrolls sideways by %d px (%v)", name, wide, err)
	}
}

func (p *person) shoot(file string) {
	p.tb.Helper()
	if *shots == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.tb.Fatal(err)
	}
	if err := os.MkdirAll(*shots, 0o755); err != nil {
		p.tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, file), png, 0o644); err != nil {
		p.tb.Fatal(err)
	}
}

// clickFirstInvoice opens the first invoice of the home page.
var clickFirstInvoice = chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
	_, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.Search(`//table//tbody//th//a`)))
	return err
})
