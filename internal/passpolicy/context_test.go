package passpolicy_test

import (
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/passpolicy"
)

func TestContext(t *testing.T) {
	alice := []string{"Alice Pleasance Liddell", "a.liddell99@mail.looking-glass.example", "Jos\u00e9 \u00c5ngstr\u00f6m", "Bob", "Ann Lee", "J\u030canika", "c.dodgson99@example.org"}
	for _, tt := range []struct {
		name, password string
		want           passpolicy.Rule
	}{
		{"name and date", "Pleasance-18650704", passpolicy.RuleContext},
		{"whole name", "AlicePleasanceLiddell", passpolicy.RuleContext},
		{"whole name with spaces", "Alice Pleasance Liddell", passpolicy.RuleContext},
		{"names and application", "Alice@AcmeRockets!", passpolicy.RuleContext},
		{"names backwards", "liddell.pleasance", passpolicy.RuleContext},
		{"seven others beside", "pleasancegkwvmzq", passpolicy.RuleContext},
		{"eight others beside", "pleasancegkwvmzqx", ""},
		{"run beside", "pleasanceabcdefghijkl", passpolicy.RuleContext},
		{"digits for letters", "L1dd3ll-Pl3454nc3", passpolicy.RuleContext},
		{"whole address", "a.liddell99@mail.looking-glass.example", passpolicy.RuleContext},
		{"local part", "aliddell99-aliddell", passpolicy.RuleContext},
		{"local part without its digits", "dodgson! dodgson? dodgson.", passpolicy.RuleContext},
		{"part of the domain", "looking-glass-2024", passpolicy.RuleContext},
		{"domain label written together", "lookingglass 2024!", passpolicy.RuleContext},
		{"application", "AcmeRockets2024!", passpolicy.RuleContext},
		{"composed", "Jos\u00e9-\u00c5ngstr\u00f6m-1967", passpolicy.RuleContext},
		{"decomposed", "Jose\u0301-A\u030angstro\u0308m-1967", passpolicy.RuleContext},
		{"composed only in lower case", "\u01f0anika-1967-\u01f0anika", passpolicy.RuleContext},
		{"short words together", "annlee 23041985!", passpolicy.RuleContext},
		{"passphrase with the name", "alice fell down the rabbit hole", ""},
		{"name inside a word", "chalices of malice and salt", ""},
		{"passphrase with the application", "acme never delivered my anvil", ""},
		{"word of three characters", "bob-gkw-vmz-qxj-bob", ""},
		{"another's name", "Charles-Babbage-x7", ""},
		{"no word and few parts", "111-222-333-444-5", ""},
		{"random", random, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy(t, passpolicy.Config{ContextWords: []string{"Acme Rockets"}})
			if got := rule(t, p.Check(t.Context(), tt.password, alice...)); got != tt.want {
				t.Errorf("%q breaks %q, want %q", tt.password, got, tt.want)
			}
		})
	}
}

func TestContextOfShortPasswords(t *testing.T) {
	p := policy(t, passpolicy.Config{MinLength: 8})
	for password, want := range map[string]passpolicy.Rule{
		"gkwvliddellmzq":  passpolicy.RuleContext,
		"gkwvliddellmzqx": "",
		"gkwvmzqx":        "",
		"my liddell":      passpolicy.RuleContext,
	} {
		if got := rule(t, p.Check(t.Context(), password, "Liddell")); got != want {
			t.Errorf("%q breaks %q, want %q", password, got, want)
		}
	}
}

func TestLongTextsAreIgnored(t *testing.T) {
	p := policy(t, passpolicy.Config{})
	for spaces, want := range map[int]passpolicy.Rule{1015: passpolicy.RuleContext, 1016: ""} {
		if got := rule(t, p.Check(t.Context(), "pleasance-18650704", strings.Repeat(" ", spaces)+"Pleasance")); got != want {
			t.Errorf("word after %d spaces: breaks %q, want %q", spaces, got, want)
		}
	}
}

// TestHostileWords uses names and addresses that an attacker may choose.
func TestHostileWords(t *testing.T) {
	p := policy(t, passpolicy.Config{})
	for name, words := range map[string][]string{
		"nothing":         {"", " ", "@", "@@@", "..."},
		"invalid UTF-8":   {"\xff\xfe\xff\xfe\xff"},
		"a megabyte":      {strings.Repeat("a ", 1<<19), strings.Repeat("gkwv", 1<<18)},
		"many words":      {strings.Repeat("abcd efgh ", 100)},
		"many texts":      make([]string, 10000),
		"accents without": {strings.Repeat("\u0301", 200)},
	} {
		t.Run(name, func(t *testing.T) {
			if err := p.Check(t.Context(), random, words...); err != nil {
				t.Error(err)
			}
		})
	}
}
