package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/remote"
)

// chromium is the browser's program.
const chromium = "chromium"

// The size of a tab, in pixels.
const (
	tabWidth  = 1280
	tabHeight = 800
)

// Browser is a Chromium without a window, with a profile of its own.
type Browser struct {
	tb  testing.TB
	ctx context.Context // it is how chromedp names a browser
}

// devTools is where Chromium says that it can be steered, once it can.
var devTools = regexp.MustCompile(`(ws://\S+/devtools/browser/\S+)\n`)

// AnyCertificate is a switch of a browser's: it believes every certificate.
const AnyCertificate = "--ignore-certificate-errors"

// StartBrowser starts a browser with further switches of its command line, and returns when it can be steered. It is ended
// with the test.
func StartBrowser(tb testing.TB, switches ...string) *Browser {
	tb.Helper()
	Require(tb, chromium)
	profile := tb.TempDir()
	tb.Cleanup(func() { // its helpers end a little after it, and write until then
		Within(tb, Patience, "the browser's files to be removed", func() bool { return os.RemoveAll(profile) == nil })
	})
	args := []string{
		"--headless", "--remote-debugging-port=0", "--user-data-dir=" + profile, "--lang=zh-CN",
		"--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--disable-crash-reporter",
		// Nobody outside is asked for anything, and a tab that nobody looks at runs like any other.
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
		fmt.Sprintf("--window-size=%d,%d", tabWidth, tabHeight),
	}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // there is none for root
	}
	args = append(append(args, switches...), "about:blank")
	p := startProcess(tb, chromium, exec.Command(chromium, args...)) //nolint:noctx // cleanup ends it
	var at []string
	Within(tb, 3*Patience, "the browser to say where it can be steered", func() bool {
		at = devTools.FindStringSubmatch(p.output.String())
		return at != nil
	})
	allocator, release := remote.NewAllocator(context.Background(), at[1])
	ctx, _ := chromedp.NewContext(allocator)
	tb.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			tb.Errorf("close the browser: %v", err)
		}
		release()
		p.stop(syscall.SIGTERM)
	})
	if err := chromedp.Do(ctx); err != nil {
		tb.Fatalf("steer the browser: %v", err)
	}
	return &Browser{tb: tb, ctx: ctx}
}

// Page is a tab. What is clicked and typed passes through the browser's own mouse and keys, so that what is hidden or
// covered cannot be clicked. Elements are named by CSS selectors, and by them the first of several is clicked or typed into.
type Page struct {
	tb  testing.TB
	ctx context.Context // it is how chromedp names a tab

	mu     sync.Mutex
	faults []string
}

// Open opens an address in a new tab, and returns when it is loaded. A script that fails there, or anything that the
// page's Content-Security-Policy forbids, fails the test at its end; if it failed the test's log has what the page shows.
func (b *Browser) Open(address string) *Page {
	b.tb.Helper()
	p := &Page{tb: b.tb}
	ctx, _ := chromedp.NewContext(b.ctx, chromedp.WithListener(p.hear))
	p.ctx = ctx
	b.tb.Cleanup(func() { p.close(address) })
	if err := chromedp.Do(ctx); err != nil { // makes the tab, which lives as long as the context given here
		b.tb.Fatalf("open a tab: %v", err)
	}
	p.run("open "+address, chromedp.Navigate(address))
	return p
}

// close closes the tab, and tells what went wrong in it.
func (p *Page) close(address string) {
	p.tb.Helper()
	if p.tb.Failed() {
		p.tb.Logf("--- %s shows:\n%s", address, p.Text("body"))
	}
	if err := chromedp.Cancel(p.ctx); err != nil {
		p.tb.Errorf("close the tab: %v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		p.tb.Errorf("%s: %s", address, f)
	}
}

// hear notes what goes wrong in the page; the browser's goroutine calls it.
func (p *Page) hear(event any) {
	fault := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault = e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			fault += " " + thrown.Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Source == log.EntrySourceSecurity {
			fault = e.Entry.Text
		}
	}
	if fault == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fault)
}

// run does something to the page, within Patience.
func (p *Page) run(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.tb.Fatalf("%s: %v", what, err)
	}
}

// evaluate is what a JavaScript expression is in the page.
func evaluate[T any](p *Page, expression string) T {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	is, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.tb.Fatalf("%s: %v", expression, err)
	}
	return is
}

// Click waits until an element is shown and enabled, and clicks its middle, which nothing may cover.
func (p *Page) Click(selector string) {
	p.tb.Helper()
	p.run("click "+selector, chromedp.ScrollIntoView(chromedp.CSS(selector)), chromedp.WaitVisible(chromedp.CSS(selector)))
	p.Until(selector+" to be uncovered", fmt.Sprintf(`[document.querySelector(%q)].some((e) => {
		if (!e || e.disabled) return false;
		const box = e.getBoundingClientRect();
		return e.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
	})`, selector))
	p.run("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Type types a text into an element that is shown.
func (p *Page) Type(selector, text string) {
	p.tb.Helper()
	p.run("type into "+selector, chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Choose chooses an option of a select by its value: a browser without a window has no menu to click in.
func (p *Page) Choose(selector, value string) {
	p.tb.Helper()
	p.run("choose "+value, chromedp.SetValue(chromedp.CSS(selector), value))
}

// Reload loads the page anew.
func (p *Page) Reload() {
	p.tb.Helper()
	p.run("reload", chromedp.Reload())
}

// Text is what is seen of an element; empty when there is none, or it is hidden.
func (p *Page) Text(selector string) string {
	p.tb.Helper()
	return evaluate[string](p, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

// Shows waits until an element is shown with a text in it.
func (p *Page) Shows(selector, text string) {
	p.tb.Helper()
	p.Until(fmt.Sprintf("%s to show %q", selector, text), fmt.Sprintf(
		"[...document.querySelectorAll(%q)].some((e) => e.checkVisibility({visibilityProperty: true}) && e.innerText.includes(%q))", selector, text))
}

// Hides waits until nothing of a selector is shown.
func (p *Page) Hides(selector string) {
	p.tb.Helper()
	p.Until(selector+" to be hidden", fmt.Sprintf("![...document.querySelectorAll(%q)].some((e) => e.checkVisibility({visibilityProperty: true}))", selector))
}

// Until waits until a JavaScript expression is true in the page, where it sees what the page's own scripts see.
func (p *Page) Until(what, expression string) {
	p.tb.Helper()
	Within(p.tb, Patience, "the page: "+what, func() bool {
		p.tb.Helper()
		return evaluate[bool](p, expression)
	})
}

// Do runs a JavaScript statement in the page.
func (p *Page) Do(statement string) {
	p.tb.Helper()
	evaluate[bool](p, statement+"; true")
}
