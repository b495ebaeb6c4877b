package browsertest

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// buildClient builds the TypeScript client, or skips the test.
func buildClient(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not installed")
	}
	text, err := os.ReadFile("../client/package.json")
	if err != nil {
		t.Fatal(err)
	}
	var needs struct{ DevDependencies map[string]string }
	if err := json.Unmarshal(text, &needs); err != nil {
		t.Fatal(err)
	}
	client, err := filepath.Abs("../client")
	if err != nil {
		t.Fatal(err)
	}
	// The compiler alone: npm ci installs what the recipes need, too.
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "npm", "exec", "--yes", "--package=typescript@"+needs.DevDependencies["typescript"], "--",
		"tsc", "-p", client, "--outDir", dir)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return dir
}

// spa is the application of docs/spa: the API, and its front end on another origin of the same site and on another site.
type spa struct {
	api, sibling, other string
	log                 string // the file with the links of mails
}

func startSPA(t *testing.T, client string, args ...string) spa {
	t.Helper()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	args = append([]string{"-api", "127.0.0.1:0", "-front", "127.0.0.1:0", "-db", filepath.Join(dir, "spa.db"), "-client", client}, args...)
	lines := runSPA(t, 3, log, args...)
	for i, line := range lines {
		lines[i] = line[strings.Index(line, "http://"):]
	}
	return spa{lines[0], lines[1], lines[2], log.Name()}
}

// runSPA builds the application and runs it until the test ends. It returns the first lines that it writes, and leaves its
// log in a file.
func runSPA(t *testing.T, lines int, log *os.File, args ...string) []string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-C", "../docs/spa", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build docs/spa: %v\n%s", err, out)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "GIN_MODE=test")
	cmd.Stderr = log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		if err := errors.Join(err, cmd.Wait()); err != nil {
			t.Errorf("docs/spa: %v", err)
		}
	})
	reader := bufio.NewReader(stdout)
	var first []string
	for range lines {
		line, err := reader.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		first = append(first, strings.TrimSpace(line))
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	return first
}

// mailed waits for a mail to an email address with a link to a page of the front end, and returns the link.
func (a spa) mailed(t *testing.T, email, page string) string {
	t.Helper()
	link := regexp.MustCompile(regexp.QuoteMeta("to="+email) + `.*(` + regexp.QuoteMeta(a.sibling+page) + `[^\s"\]]+)`)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(a.log)
		if err != nil {
			t.Fatal(err)
		}
		if match := link.FindSubmatch(text); match != nil {
			return string(match[1])
		}
	}
	t.Fatalf("no mail to %s with a link to %s", email, page)
	return ""
}

// visitor is a person at the front end.
type visitor struct {
	*browser
	email string
}

// openSPA opens the front end.
func openSPA(t *testing.T, base, path string) *visitor {
	t.Helper()
	v := &visitor{open(t, base, mode{name: base + path, language: "en", script: true}), strings.ToLower(rand.Text()[:12]) + "@example.com"}
	v.enter(path)
	return v
}

func (v *visitor) enter(path string) {
	v.t.Helper()
	v.visit(path)
	v.until("the front end is ready", `document.body.dataset.ready === "true"`)
}

// tab opens another tab of the same browser.
func (v *visitor) tab(path string) *visitor {
	v.t.Helper()
	ctx, cancel := chromedp.NewContext(v.ctx)
	v.t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // the first context that is used owns the tab
		v.t.Fatal(err)
	}
	other := &visitor{&browser{t: v.t, ctx: ctx, base: v.base, mode: v.mode}, v.email}
	other.enter(path)
	return other
}

// front brings the tab to the front: the others get no clicks.
func (v *visitor) front() *visitor {
	v.t.Helper()
	call(v.browser, page.BringToFront, cdp.Empty{})
	return v
}

// shows waits until the page shows a part.
func (v *visitor) shows(part string) {
	v.t.Helper()
	v.until("it shows "+part, fmt.Sprintf(`document.querySelector("#%s").hidden === false`, part))
}

func (v *visitor) signUp() {
	v.t.Helper()
	v.shows("sign-in")
	v.press(`#sign-in a[href="#sign-up"]`)
	v.shows("sign-up")
	v.fill("#sign-up [name=name]", "Nina")
	v.fill("#sign-up [name=email]", v.email)
	v.fill("#sign-up [name=password]", "short")
	v.press("#sign-up button")
	v.until("the fault is shown", `document.querySelector("#sign-up [name=password][aria-invalid=true] + small").textContent !== ""`)
	v.fill("#sign-up [name=password]", password)
	v.press("#sign-up button")
	v.shows("sign-in")
}

// submit fills the form to sign in and sends it.
func (v *visitor) submit(password string) {
	v.t.Helper()
	v.fill("#sign-in [name=email]", v.email)
	v.fill("#sign-in [name=password]", password)
	v.press("#sign-in button")
}

func (v *visitor) signIn() {
	v.t.Helper()
	v.submit(password)
	v.shows("tasks")
	v.until("the name is shown", `document.querySelector("#name").textContent === "Nina"`)
}

// verify follows the mailed link, which alone does nothing, and presses the button of the page, which then says something.
func (v *visitor) verify(app spa, password, says string) {
	v.t.Helper()
	v.enter(strings.TrimPrefix(app.mailed(v.t, v.email, "/verify-email/"), app.sibling))
	v.shows("verify")
	if password != "" {
		v.fill("#verify [name=password]", password)
	}
	v.press("#verify button")
	v.shows("sign-in")
	v.until("the page says so", fmt.Sprintf(`document.querySelector("#message").textContent.endsWith(%q)`, says))
}

// reset chooses a new password by the mailed link, whose token the page removes from its address.
func (v *visitor) reset(app spa, next string) {
	v.t.Helper()
	v.press(`#sign-in a[href="#forgot"]`)
	v.shows("forgot")
	v.fill("#forgot [name=email]", v.email)
	v.press("#forgot button")
	v.shows("sign-in")
	v.enter(strings.TrimPrefix(app.mailed(v.t, v.email, "/new-password#"), app.sibling))
	v.shows("new-password")
	if got := eval[string](v.browser, `location.href`); strings.Contains(got, "token") {
		v.t.Errorf("the token stays in the address: %s", got)
	}
	v.fill("#new-password [name=password]", next)
	v.press("#new-password button")
	v.shows("sign-in")
	v.submit(next)
	v.shows("tasks")
}

func (v *visitor) add(text string) {
	v.t.Helper()
	v.fill("#tasks [name=text]", text)
	v.press("#tasks form button")
	v.lists(text)
}

// lists waits until the list has a task.
func (v *visitor) lists(text string) {
	v.t.Helper()
	v.until("the list has "+text, fmt.Sprintf(`document.querySelector("#list").innerText.includes(%q)`, text))
}

// TestSinglePageApplication signs in at the front end of docs/spa, on another origin and on another site than the API.
func TestSinglePageApplication(t *testing.T) {
	chromium(t) // or skip before anything is built
	client := buildClient(t)
	app := startSPA(t, client, "-access", "1s") // an access token expires in time
	t.Run("session, another origin", func(t *testing.T) {
		v := openSPA(t, app.sibling, "/")
		v.signUp()
		v.verify(app, "", "is verified.") // in the browser that has registered
		v.submit("wrong")
		v.until("the failure is shown", `document.querySelector("#message").textContent !== ""`)
		v.signIn()
		v.add("buy milk")
		v.enter("/") // the cookie outlives the page
		v.lists("buy milk")
		if got := eval[string](v.browser, `document.cookie`); got != "" {
			t.Errorf("a script reads the cookie %q", got)
		}
		strangerIsRefused(t, v, app.api)
		v.press("#sign-out")
		v.shows("sign-in")
		v.enter("/")
		v.shows("sign-in")
		v.reset(app, "ocelots juggle nine marbles")
	})
	t.Run("session, another site", func(t *testing.T) {
		v := openSPA(t, app.other, "/")
		v.signUp()
		v.submit(password)
		v.until("the page says why nobody is signed in", `document.querySelector("#message").textContent.includes("did not keep the cookie")`)
		v.shows("sign-in")
		v.verify(app, "", "by the link that we have mailed now.") // the API cannot know the browser
		v.submit(password)
		v.until("the password has ended", `document.querySelector("#message").textContent.includes("do not match")`)
	})
	for name, base := range map[string]string{"tokens, another origin": app.sibling, "tokens, another site": app.other} {
		t.Run(name, func(t *testing.T) { testTokens(t, app, base) })
	}
}

// strangerIsRefused lets a page of an origin that is not trusted try what it can with the cookie of a user: a port of
// the same host belongs to the same site, so the browser sends the cookie.
func strangerIsRefused(t *testing.T, v *visitor, api string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!DOCTYPE html><html lang="en"><title>Stranger</title><body data-ready="true">`))
	}))
	defer server.Close()
	stranger := v.tab("/")
	stranger.base = server.URL
	stranger.enter("/")
	for _, try := range []string{
		`fetch(%q + "/tasks", {credentials: "include"})`,
		`fetch(%q + "/tasks", {method: "POST", credentials: "include", headers: {"Content-Type": "application/json"}, body: '{"text":"not mine"}'})`,
	} {
		expression := fmt.Sprintf(try, api) + `.then((answer) => "status " + answer.status, (error) => error.name)`
		if got := eval[string](stranger.browser, expression, chromedp.EvalAwaitPromise); got != "TypeError" {
			t.Errorf("a stranger reads %s: %s", try, got)
		}
	}
	// A simple request reaches the server without a preflight.
	for path, body := range map[string]string{"/tasks": `{"text":"not mine"}`, "/logout": ``} {
		expression := fmt.Sprintf(`fetch(%q, {method: "POST", mode: "no-cors", credentials: "include", body: %q}).then((answer) => answer.type)`, api+path, body)
		if got := eval[string](stranger.browser, expression, chromedp.EvalAwaitPromise); got != "opaque" {
			t.Errorf("a simple request: %s", got)
		}
	}
	v.front().enter("/")
	v.lists("buy milk")
	if got := eval[string](v.browser, `document.querySelector("#list").innerText`); strings.Contains(got, "not mine") {
		t.Errorf("a stranger has added a task: %s", got)
	}
}

// testTokens signs in by tokens in one of two tabs.
func testTokens(t *testing.T, app spa, base string) {
	one := openSPA(t, base, "/?mode=token")
	one.signUp()
	one.verify(app, password, "is verified.")
	one.enter("/?mode=token") // the link does not say it
	two := one.tab("/?mode=token")
	two.shows("sign-in")
	one.front().signIn()
	two.shows("tasks") // it has the tokens from the first tab
	one.add("buy milk")
	two.front().press("#reload")
	two.lists("buy milk")
	refreshes := fmt.Sprintf(`performance.getEntriesByName(%q).length`, app.api+"/token/refresh")
	one.until("the access token has expired and is refreshed", `document.querySelector("#reload").click() || `+refreshes+` > 0`)
	one.front().add("buy bread")
	two.front().press("#reload")
	two.lists("buy bread") // with the next access token, or the one after it
	if got := eval[string](one.browser, `document.cookie + Object.keys(localStorage) + Object.keys(sessionStorage)`); got != "" {
		t.Errorf("the page keeps %q", got)
	}
	two.press("#sign-out")
	two.shows("sign-in")
	one.shows("sign-in") // all tabs sign out
	one.enter("/?mode=token")
	one.shows("sign-in")
}
