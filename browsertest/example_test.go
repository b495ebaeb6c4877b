package browsertest

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if process.cancel != nil {
		process.cancel()
	}
	if program.dir != "" {
		_ = os.RemoveAll(program.dir)
	}
	if code == 0 {
		if err := closeAlbum(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

const password = "correct horse battery staple"

// modes are the ways in which people use the example.
var modes = []mode{
	{name: "mouse", language: "en", script: true, kept: true},
	{name: "keyboard, phone, dark", language: "de", script: true, keyboard: true, phone: true, dark: true, kept: true},
	{name: "no script, phone", language: "ar", phone: true, kept: true},
}

// program is the example, which is built once.
var program struct {
	once sync.Once
	dir  string
	err  error
}

func buildExample() (string, error) {
	program.once.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "ginauth-example"); program.err != nil {
			return
		}
		if out, err := exec.Command("go", "build", "-C", "..", "-o", program.dir, "./example").CombinedOutput(); err != nil {
			program.err = fmt.Errorf("build the example: %w\n%s", err, out)
		}
	})
	return filepath.Join(program.dir, "example"), program.err
}

// startExample runs the example with a new database and arguments. It returns its address.
func startExample(t *testing.T, args ...string) string {
	t.Helper()
	path, err := buildExample()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"-addr", "127.0.0.1:0", "-db", filepath.Join(t.TempDir(), "example.db")}, args...)...)
	cmd.Env = append(os.Environ(), "GIN_MODE=test")
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
			t.Errorf("the example: %v", err)
		}
	})
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return strings.TrimPrefix(strings.TrimSpace(first), "listening on ")
}

// TestExample walks the way of a newcomer, in each mode.
func TestExample(t *testing.T) {
	chromium(t) // or skip before the example is built
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			base := startExample(t) // what others write would be in the pictures
			n := &newcomer{browser: open(t, base, m), email: strings.ToLower(rand.Text()[:12]) + "@example.com"}
			n.signUp()
			n.verify()
			n.signIn(password)
			n.write()
			n.account()
			n.tokens()
			n.devices(base)
			n.factors()
			n.signOut()
			n.reset("ocelots juggle nine marbles")
			n.recover()
			n.lost()
			n.leave("ocelots juggle nine marbles")
		})
	}
}

// newcomer is a person who tries the example.
type newcomer struct {
	*browser
	email string
	// secret is that of the authenticator app, and used the code that was typed last.
	secret, used string
	recovery     string
}

func (n *newcomer) signUp() {
	n.t.Helper()
	n.visit("/")
	n.look("home")
	n.press(`nav a[href="/register"]`)
	n.at("/register")
	n.look("register")
	n.fill("#name", "Nina")
	n.fill("#email", n.email)
	n.fill("#password", "short")
	n.press("main button")
	n.until("the fault is shown", `document.querySelector("#password[aria-invalid=true]") !== null`)
	n.look("register with a fault")
	if got := eval[string](n.browser, `document.activeElement.id + " " + document.querySelector("#email").value + document.querySelector("#password").value`); got != "password "+n.email {
		n.t.Errorf("%s: focus and input after a fault: %q", n.name, got)
	}
	n.fill("#password", password)
	n.press("main button")
	n.at("/verify-email")
	n.look("verify notice")
}

// mail opens the page of mails, of which there is a number, and follows the newest link with a text.
func (n *newcomer) mail(number int, link string) {
	n.t.Helper()
	n.press(`main a[href="/_mail"]`)
	n.at("/_mail")
	n.look(fmt.Sprintf("mails %d", number))
	n.press(fmt.Sprintf(`article a[href*=%q]`, link))
	n.loaded()
}

func (n *newcomer) verify() {
	n.t.Helper()
	if n.script {
		n.elsewhere("/verify-email/")
		n.mail(1, "/verify-email/")
	} else {
		n.mail(1, "/verify-email/")
		n.until("the link has opened", `document.readyState === "complete" && location.pathname.startsWith("/verify-email/")`)
		n.look("verify")
		n.press("main button.primary")
	}
	n.at("/login")
	if !n.has(".notice") {
		n.t.Errorf("%s: no notice of the verification: %s", n.name, n.text())
	}
}

// elsewhere opens the link of the newest mail in a browser that has not asked for it. There a person has to press the
// button; where it was asked for a script does.
func (n *newcomer) elsewhere(link string) {
	n.t.Helper()
	other := open(n.t, n.base, n.mode)
	other.visit("/_mail")
	other.press(fmt.Sprintf(`article a[href*=%q]`, link))
	other.until("the link has opened", `document.readyState === "complete" && location.pathname.startsWith("/verify-email/")`)
	other.look("verify")
}

func (n *newcomer) signIn(password string) {
	n.t.Helper()
	n.visit("/login")
	when := map[bool]string{true: " after a reset"}[n.secret != ""]
	n.look("login" + when)
	n.fill("#email", n.email)
	n.fill("#password", password+" wrong")
	n.press("main form button")
	n.until("the failure is shown", `document.readyState === "complete" && document.querySelector(".failure[role=alert]:not([hidden])") !== null`)
	n.look("login with a failure" + when)
	n.fill("#password", password)
	n.check("#remember")
	n.press("main form button")
	if n.secret != "" {
		n.signInWithCode()
	}
	n.until("somebody is signed in", signedIn)
}

// signedIn is true on a page for a user who is logged in.
const signedIn = `document.readyState === "complete" && document.querySelector("form[action='/logout']") !== null`

func (n *newcomer) write() {
	n.t.Helper()
	n.visit("/write")
	n.look("write")
	n.fill("#title", "A title")
	n.fill("#body", "My words")
	n.press("main form button.primary")
	n.until("the draft is shown", `document.readyState === "complete" && document.querySelector("article h1") !== null`)
	n.look("draft")
	n.press("form[action$='/publish'] button")
	n.until("it is published", `document.readyState === "complete" && document.querySelector("article time") !== null`)
	n.sees("My words", "A title")
}

func (n *newcomer) account() {
	n.t.Helper()
	n.press(`nav a[href="/profile"]`)
	n.at("/profile")
	n.look("profile")
	n.sees(n.email, "Nina")
	n.press(`main a[href="/password"]`)
	n.at("/password")
	n.look("password")
	n.visit("/email")
	n.look("email")
	n.visit("/confirm-password")
	n.look("confirm password")
	n.visit("/passkeys/new")
	n.look("add a passkey")
	if shown := eval[bool](n.browser, `document.querySelector("[data-passkey=register]").checkVisibility()`); shown != n.script || n.has("noscript p") == n.script {
		n.t.Errorf("%s: the button is shown: %v: %s", n.name, shown, n.text())
	}
	n.visit("/admin")
	n.look("forbidden")
}

func (n *newcomer) tokens() {
	n.t.Helper()
	n.visit("/tokens")
	n.look("no tokens")
	n.press(`main a[href="/tokens/new"]`)
	n.at("/tokens/new")
	n.look("new token")
	n.fill("#name", "deploy")
	n.press("main form button")
	n.until("the token is shown", `document.readyState === "complete" && document.querySelector("#token") !== null`)
	n.look("token")
	n.press(`main a[href="/tokens"]`)
	n.at("/tokens")
	n.look("tokens")
	n.press("form[action^='/tokens/'] button")
	n.until("the token is gone", `document.readyState === "complete" && document.querySelector(".empty") !== null`)
}

// devices signs in at another browser, and signs that out from here.
func (n *newcomer) devices(base string) {
	n.t.Helper()
	other := &newcomer{browser: open(n.t, base, mode{name: "other device", language: "en", script: true}), email: n.email}
	other.visit("/login")
	other.fill("#email", n.email)
	other.fill("#password", password)
	other.press("main form button")
	other.at("/")
	n.visit("/devices")
	n.look("devices")
	if got := eval[int](n.browser, `document.querySelectorAll(".rows li").length`); got < 2 {
		n.t.Errorf("%s: %d devices: %s", n.name, got, n.text())
	}
	n.fill("#password", password)
	n.press("form[action='/devices/delete'] button")
	n.until("the others are signed out", `document.readyState === "complete" && document.querySelector(".notice") !== null`)
	other.visit("/profile")
	other.at("/login")
	n.visit("/profile")
	n.at("/profile")
}

func (n *newcomer) signOut() {
	n.t.Helper()
	n.press("form[action='/logout'] button")
	n.at("/login")
	n.visit("/profile")
	n.at("/login")
}

func (n *newcomer) reset(next string) {
	n.t.Helper()
	n.press(`main a[href="/forgot-password"]`)
	n.at("/forgot-password")
	n.look("forgot password")
	n.fill("#email", n.email)
	n.press("main form button")
	n.until("the mail is on its way", `document.readyState === "complete" && document.querySelector(".notice") !== null`)
	n.mail(2, "/reset-password#email=")
	n.at("/reset-password")
	if n.script {
		n.until("the script has moved the token", `document.querySelector("#token").value.startsWith("gpr_") && location.hash === ""`)
		if eval[bool](n.browser, `document.querySelector("#token-field").checkVisibility()`) {
			n.t.Errorf("%s: the token is shown", n.name)
		}
	} else {
		n.fill("#token", afterToken(eval[string](n.browser, `location.hash`)))
	}
	n.look("reset password")
	if got := eval[string](n.browser, `document.querySelector("#email").value`); got != n.email {
		n.t.Errorf("%s: the address filled in is %q", n.name, got)
	}
	n.fill("#password", "short")
	n.press("main form button")
	n.until("the fault is shown", `document.readyState === "complete" && document.querySelector("#password[aria-invalid=true]") !== null`)
	if !n.script {
		n.fill("#token", afterToken(eval[string](n.browser, `location.hash`)))
	}
	n.fill("#password", next)
	n.press("main form button")
	n.at("/login")
	n.signIn(next)
}

// afterToken returns what comes after "token=", as the page tells people to copy.
func afterToken(hash string) string {
	_, token, _ := strings.Cut(hash, "token=")
	return token
}

// lost follows a link that leads nowhere.
func (n *newcomer) lost() {
	n.t.Helper()
	n.visit("/nowhere")
	n.look("not found")
	n.press("main a")
	n.at("/")
}

// leave changes the name, and then deletes the account.
func (n *newcomer) leave(password string) {
	n.t.Helper()
	n.visit("/profile")
	n.fill("#name", "Nina Ella")
	n.press("form[action='/profile'] button")
	n.until("the name is changed", `document.readyState === "complete" && document.querySelector(".notice") !== null && document.querySelector("#name").value === "Nina Ella"`)
	n.look("profile with a new name")
	n.press(`main a[href="/account/delete"]`)
	n.at("/account/delete")
	n.look("delete the account")
	n.fill("#password", password)
	n.press("form[action='/account/delete'] button")
	n.at("/login")
	if !n.has(".notice") {
		n.t.Errorf("%s: no notice of the deletion: %s", n.name, n.text())
	}
	n.look("account deleted")
}
