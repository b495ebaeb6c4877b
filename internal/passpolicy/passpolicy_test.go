package passpolicy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ginauth/ginauth/internal/passpolicy"
)

// random contains no word, no run and no repetition.
const random = "xK9#mQ2vT7!wZ4p"

func policy(t testing.TB, c passpolicy.Config) *passpolicy.Policy {
	t.Helper()
	p, err := passpolicy.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rule returns the rule in an error, or "" if the error is nil.
func rule(t testing.TB, err error) passpolicy.Rule {
	t.Helper()
	if err == nil {
		return ""
	}
	var v *passpolicy.Violation
	if !errors.As(err, &v) || v.Rule == "" || v.Reason == "" {
		t.Fatalf("%v is not a *Violation with a rule and a reason", err)
	}
	return v.Rule
}

func TestNewReportsAllFaults(t *testing.T) {
	p, err := passpolicy.New(passpolicy.Config{
		MinLength:    7,
		ContextWords: append([]string{"", "abc", "Acme", "x\xff", strings.Repeat("a", 257)}, make([]string, 60)...),
	})
	if p != nil || err == nil {
		t.Fatalf("New = %v, %v", p, err)
	}
	for _, want := range []string{
		"MinLength: 7 ", "ContextWords: 65 ", "ContextWords[0]: ", "ContextWords[1]: ", "ContextWords[3]: ", "ContextWords[4]: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among the faults:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "ContextWords[2]") {
		t.Errorf("a valid word is reported as a fault:\n%v", err)
	}
	if _, err := passpolicy.New(passpolicy.Config{MinLength: 65}); err == nil {
		t.Error("a minimum of more than 64 characters is accepted")
	}
}

func TestMinLength(t *testing.T) { // P13
	for given, want := range map[int]int{0: 15, 8: 8, 64: 64} {
		if got := policy(t, passpolicy.Config{MinLength: given}).MinLength(); got != want {
			t.Errorf("MinLength %d means %d, want %d", given, got, want)
		}
	}
}

func TestShape(t *testing.T) { // P01 to P05
	for _, tt := range []struct {
		name, password string
		want           passpolicy.Rule
	}{
		{"nothing", "", passpolicy.RuleLength},
		{"one too short", random[:14], passpolicy.RuleLength},
		{"shortest", random, ""},
		{"bytes are not characters", "\u00e4\u00f6\u00fc\u00df\u00e9\u00e8\u00ea\u00e7", passpolicy.RuleLength},
		{"15 characters of 3 bytes", "\u65e5\u304f\u6c34\u5c71\u304a\u706b\u5ddd\u3077\u6728\u91d1\u308c\u571f\u6708\u3093\u661f", ""},
		{"decomposed characters count as typed", "e\u0301u\u0308o\u0302c\u0327n\u0303i\u0300a\u030ax", ""},
		{"64 characters", strings.Repeat(random, 4) + "Lf3&", ""},
		{"73 bytes", strings.Repeat(random, 4) + "Lf3&Lf3&Lf3&u", ""},
		{"4096 bytes", random + strings.Repeat("\u00df", 2040) + "u", ""},
		{"4097 bytes", random + strings.Repeat("\u00df", 2041), passpolicy.RuleSize},
		{"a megabyte of rubbish", strings.Repeat("\xff", 1<<20), passpolicy.RuleSize},
		{"invalid UTF-8", random + "\xff", passpolicy.RuleEncoding},
		{"surrogate", random + "\xed\xa0\x80", passpolicy.RuleEncoding},
		{"replacement character", random + "\ufffd", passpolicy.RuleEncoding},
		{"spaces around", "   " + random[:9] + "   ", ""},
		{"spaces alone", strings.Repeat(" ", 20), passpolicy.RuleRepetition},
		{"NUL is a character", random[:14] + "\x00", ""},
		{"no digits, no capitals, no signs", "gvkoxqhwzmtrbyn", ""},
		{"decomposed Hangul counts as typed", "\u1112\u1161\u11ab\u1100\u1173\u11af\u1103\u1161\u11ba\u1109\u1165\u11ba\u110c\u1175\u11b8", ""},
		{"a sentence", "the cat sat on my keyboard", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := rule(t, policy(t, passpolicy.Config{}).Check(t.Context(), tt.password)); got != tt.want {
				t.Errorf("breaks %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRepetition(t *testing.T) {
	for _, password := range []string{
		"aaaaaaaaaaaaaaa", "AaAaAaAaAaAaAaA", "abcabcabcabcabc", "xK9#mQ2xK9#mQ2xK9#mQ2", "xK9#mQ2xK9#mQ2x", "x7x7x7x7x7x7x7x7x",
		"123456789012345", "987654321098765", "abcdefghijklmno", "zyxwvutsrqponml", "aaaabbbbccccdddd", "\u3042\u3042\u3042\u3042\u3042\u3042\u3042\u3042\u3042\u3042\u3042\u3042\u3042\u3042\u3042",
		"qwertyuiopasdfg", "QWERTYUIOP12345", "poiuytrewqlkjhg", "1qaz2wsx3edc4rfv", "zaq12wsxcde34rfv", "1q2w3e4r5t6y7u8i", "qwerty123456asdf", "qwe123asd456zxc",
		"azertyuiopqsdfg", "!@#$%^&*()123456", "111111111111111!", "abc-123-xyz-qwe", "\u0430\u0431\u0432\u0433\u0434\u0435\u0436\u0437\u0438\u0439\u043a\u043b\u043c\u043d\u043e",
	} {
		if got := rule(t, policy(t, passpolicy.Config{}).Check(t.Context(), password)); got != passpolicy.RuleRepetition {
			t.Errorf("%q breaks %q", password, got)
		}
	}
	for _, password := range []string{random + random, random[:8] + random[:8], "qwe" + random, "street property expert", "abcdefgh" + random[:7] + "k"} {
		if err := policy(t, passpolicy.Config{}).Check(t.Context(), password); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
}

func TestFirstBrokenRuleIsNamed(t *testing.T) {
	asked := 0
	p := policy(t, passpolicy.Config{Breached: func(context.Context, string) (bool, error) { asked++; return true, nil }})
	for _, tt := range []struct {
		password string
		want     passpolicy.Rule
	}{
		{strings.Repeat("\xff", 5000), passpolicy.RuleSize},
		{"\xff", passpolicy.RuleEncoding},
		{"password", passpolicy.RuleLength},
		{"1212121212121212", passpolicy.RuleRepetition},
		{"password12345678", passpolicy.RuleCommon},
		{"aliceliddell1865", passpolicy.RuleContext},
	} {
		if got := rule(t, p.Check(t.Context(), tt.password, "Alice Liddell", "Password")); got != tt.want {
			t.Errorf("%.20q breaks %q, want %q", tt.password, got, tt.want)
		}
	}
	if asked != 0 {
		t.Errorf("Breached was called %d times for passwords that break other rules", asked)
	}
	if got := rule(t, p.Check(t.Context(), random)); got != passpolicy.RuleBreached || asked != 1 {
		t.Errorf("breaks %q after %d questions", got, asked)
	}
}

func TestBreached(t *testing.T) { // P13
	down := errors.New("connection refused")
	type key struct{}
	for _, tt := range []struct {
		name     string
		breached bool
		err      error
	}{
		{"unknown", false, nil},
		{"known", true, nil},
		{"down", false, down},
		{"down and known", true, down},
	} {
		t.Run(tt.name, func(t *testing.T) {
			typed := " " + random + "\u0065\u0301 "
			p := policy(t, passpolicy.Config{Breached: func(ctx context.Context, password string) (bool, error) {
				if password != typed || ctx.Value(key{}) != "request" {
					t.Error("Breached was not called with the password as typed and the caller's context")
				}
				return tt.breached, tt.err
			}})
			err := p.Check(context.WithValue(t.Context(), key{}, "request"), typed)
			var v *passpolicy.Violation
			switch {
			case tt.err != nil:
				if !errors.Is(err, passpolicy.ErrBreachUnknown) || !errors.Is(err, down) || errors.As(err, &v) {
					t.Errorf("%v", err)
				}
			case tt.breached:
				if rule(t, err) != passpolicy.RuleBreached || errors.Is(err, passpolicy.ErrBreachUnknown) {
					t.Errorf("%v", err)
				}
			case err != nil:
				t.Error(err)
			}
		})
	}
}

func TestErrorsDoNotQuote(t *testing.T) {
	p := policy(t, passpolicy.Config{
		ContextWords: []string{"Wonderland"},
		Breached:     func(context.Context, string) (bool, error) { return true, nil },
	})
	for _, password := range []string{"short-canary", "canarycanarycanary", "canary\xffcanary-canary", "c4n4ryc4n4ry1999!", "wonderland-1865", random} {
		err := p.Check(t.Context(), password, "Canary Wharf")
		if err == nil {
			t.Errorf("%q may be set", password)
			continue
		}
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err)} {
			if lower := strings.ToLower(text); strings.Contains(lower, "canary") || strings.Contains(lower, "wonderland") || strings.Contains(text, random) {
				t.Errorf("%q is quoted: %s", password, text)
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	p := policy(t, passpolicy.Config{ContextWords: []string{"Acme"}})
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 50 {
		wg.Go(func() {
			<-start
			for password, want := range map[string]passpolicy.Rule{
				random: "", "password12345678": passpolicy.RuleCommon, "acme-and-alice-1": passpolicy.RuleContext,
			} {
				if got := rule(t, p.Check(context.Background(), password, "Alice")); got != want {
					t.Errorf("goroutine %d: %q breaks %q, want %q", i, password, got, want)
				}
			}
		})
	}
	close(start)
	wg.Wait()
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"", random, "password12345678", "aaaaaaaaaaaaaaa", "p4ssw0rd!!!!!!!!", "\xff", "\ufdfa\u0130\u212a", "i l-o.v+e y0u", "Alice-1865-Alice", "1|!1|!1|!", "\n\nqwerty\n", "\u1112\u1161\u11ab\u1100\u1173\u11af"} {
		f.Add(seed, "Alice Liddell", "alice@example.org")
	}
	f.Fuzz(func(t *testing.T, password, name, email string) {
		p := policy(t, passpolicy.Config{MinLength: 8})
		err := p.Check(t.Context(), password, name, email)
		got := rule(t, err)
		if again := rule(t, p.Check(t.Context(), password, name, email)); again != got {
			t.Errorf("%q breaks %q, then %q", password, got, again)
		}
		if got == "" && rule(t, p.Check(t.Context(), password)) != "" {
			t.Errorf("%q may be set only by a user with a name", password)
		}
		if err != nil && len(password) >= 8 && strings.Contains(err.Error(), password) {
			t.Errorf("%q is quoted: %v", password, err)
		}
		if got == "" && strings.Trim(password, "0123456789") == "password" && len(password) < 18 {
			t.Errorf("%q may be set", password)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	p := policy(b, passpolicy.Config{ContextWords: []string{"Acme Rockets"}})
	for name, password := range map[string]string{
		"phrase": "the cat sat on my 2 keyboards", "longest": strings.Repeat(random+"\ufdfa", 227), "digits": "a" + strings.Repeat("1!0", 1300),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Check(b.Context(), password, "Alice Pleasance Liddell", "alice.liddell@example.org")
			}
		})
	}
}
