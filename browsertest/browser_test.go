package browsertest

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long a page may take. The machine may be busy.
const patience = 20 * time.Second

// mode says how a person uses a browser.
type mode struct {
	name     string
	language string
	keyboard bool // no mouse
	script   bool
	phone    bool
	dark     bool
	kept     bool // its pictures are compared with those of testdata/screens
}

// browser is a person at a browser with cookies of its own.
type browser struct {
	t    *testing.T
	ctx  context.Context
	base string
	mode

	mu     sync.Mutex
	faults []string
}

// chromium returns the program, or skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("GINAUTH_TEST_CHROMIUM"); named != "" {
		return named
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("Chromium is not installed: install the package chromium, or set GINAUTH_TEST_CHROMIUM to the program")
	return ""
}

// process is the one Chromium of all tests.
var process struct {
	once   sync.Once
	ctx    context.Context
	cancel func()
	err    error
}

// start starts Chromium once. TestMain ends it.
func start(path string) (context.Context, error) {
	process.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
			chromedp.WSURLReadTimeout(time.Minute))
		ctx, end := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, close := chromedp.NewContext(ctx)
		process.ctx, process.cancel = ctx, func() { close(); end() }
		process.err = chromedp.Do(ctx)
	})
	return process.ctx, process.err
}

// open opens a browser. At the end of the test there must be no error on its
// console, and no report of a Content-Security-Policy.
func open(t *testing.T, base string, m mode) *browser {
	t.Helper()
	parent, err := start(chromium(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, base: base, mode: m}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	call(b, network.Enable, network.EnableParams{})
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !m.script})
	call(b, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": m.language}})
	if m.dark {
		dark := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: dark})
	}
	if m.phone {
		b.run(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
	} else {
		b.run(chromedp.EmulateViewport(1200, 900))
	}
	t.Cleanup(b.checkConsole)
	return b
}

// listen records errors. The browser also tells of every page with an error
// status, which tests look at themselves.
func (b *browser) listen(event any) {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork || e.Entry.Source == log.EntrySourceSecurity {
			b.fault("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		b.fault("exception: %s", e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			b.fault("console.error: %v", e.Args)
		}
	}
}

func (b *browser) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fmt.Sprintf(format, args...))
}

func (b *browser) checkConsole() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, fault := range b.faults {
		b.t.Errorf("%s: %s", b.name, fault)
	}
}

// run runs actions in the page.
func (b *browser) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%s: at %s: %v", b.name, b.location(), err)
	}
}

// call sends a command to the browser.
func call[P, R any](b *browser, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatalf("%s: %v", b.name, err)
	}
}

// eval returns the value of an expression in the page.
func eval[T any](b *browser, expression string, options ...chromedp.EvaluateOption) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		b.t.Fatalf("%s: at %s: %s: %v", b.name, b.location(), expression[:min(len(expression), 200)], err)
	}
	return value
}

func (b *browser) location() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Location())
	return strings.TrimPrefix(text, b.base)
}

// visit opens a page as if its address was typed.
func (b *browser) visit(path string) {
	b.t.Helper()
	// A page that is opened again can be told from what it was by this mark alone.
	eval[bool](b, `window.left = true`)
	b.run(chromedp.Navigate(b.base + path))
	b.until("the page has loaded", `document.readyState === "complete" && document.documentElement !== null && !window.left`)
}

// loaded waits until the page has loaded.
func (b *browser) loaded() {
	b.t.Helper()
	b.until("the page has loaded", `document.readyState === "complete"`)
}

// at waits until the page with the path has loaded.
func (b *browser) at(path string) {
	b.t.Helper()
	b.until("it is at "+path, fmt.Sprintf(`document.readyState === "complete" && location.pathname === %q`, path))
}

// until waits for an expression to be true. While a page is replaced, there is none to ask.
func (b *browser) until(what, expression string) {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		cancel()
		if err == nil && ok {
			return
		}
	}
	b.t.Fatalf("%s: waited until %s, and it is at %s:\n%s", b.name, what, b.location(), b.text())
}

// text returns what the page shows.
func (b *browser) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	return text
}

// sees fails the test unless the page shows the texts.
func (b *browser) sees(texts ...string) {
	b.t.Helper()
	page := b.text()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			b.t.Errorf("%s: %s does not show %q:\n%s", b.name, b.location(), text, page)
		}
	}
}

func (b *browser) has(selector string) bool {
	b.t.Helper()
	return eval[bool](b, fmt.Sprintf(`document.querySelector(%q) !== null`, selector))
}

// focus moves the focus to an element with the key Tab alone.
func (b *browser) focus(selector string) {
	b.t.Helper()
	b.run(chromedp.WaitReady(chromedp.CSS(selector)))
	for range 80 {
		if eval[bool](b, fmt.Sprintf(`document.activeElement.matches(%q)`, selector)) {
			if !eval[bool](b, `document.activeElement.matches(":focus-visible") && document.activeElement.getBoundingClientRect().width > 0`) {
				b.t.Errorf("%s: %s: the focus on %s cannot be seen", b.name, b.location(), selector)
			}
			return
		}
		b.run(chromedp.KeyEvent(kb.Tab))
	}
	b.t.Fatalf("%s: %s: the key Tab does not lead to %s", b.name, b.location(), selector)
}

// fill types a text into a field.
func (b *browser) fill(selector, text string) {
	b.t.Helper()
	if b.keyboard {
		b.focus(selector)
	} else {
		b.run(chromedp.Click(chromedp.CSS(selector)))
	}
	b.run(chromedp.KeyEvent("a", chromedp.KeyModifiers(kb.ModifierCtrl)), chromedp.KeyEvent(kb.Delete))
	b.run(chromedp.KeyEvent(text))
}

// press presses a button or follows a link.
func (b *browser) press(selector string) {
	b.t.Helper()
	if !b.keyboard {
		b.run(chromedp.Click(chromedp.CSS(selector)))
		return
	}
	b.focus(selector)
	b.run(chromedp.KeyEvent(kb.Enter))
}

// check switches a checkbox on.
func (b *browser) check(selector string) {
	b.t.Helper()
	if b.keyboard {
		b.focus(selector)
		b.run(chromedp.KeyEvent(" "))
	} else {
		b.run(chromedp.Click(chromedp.CSS(selector)))
	}
	if !eval[bool](b, fmt.Sprintf(`document.querySelector(%q).checked`, selector)) {
		b.t.Errorf("%s: %s is not checked", b.name, selector)
	}
}

// look checks what every page must be: accessible, no wider than the screen, and as it looked before.
func (b *browser) look(name string) {
	b.t.Helper()
	b.until(name+" is no wider than the screen", `document.readyState === "complete" && document.documentElement.scrollWidth <= window.innerWidth`)
	if eval[string](b, `document.documentElement.lang`) == "" {
		b.t.Errorf("%s: %s has no language", b.name, name)
	}
	for _, fault := range eval[[]string](b, formsScript) {
		b.t.Errorf("%s: %s: %s", b.name, name, fault)
	}
	b.axe(name)
	b.picture(name)
}

// formsScript returns what would keep password managers and passkeys from working with the fields of a page.
//
//go:embed testdata/forms.js
var formsScript string
