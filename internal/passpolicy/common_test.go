package passpolicy_test

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ginauth/ginauth/internal/passpolicy"
)

// entries returns the lines of the bundled list.
func entries(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("common.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if last := len(lines) - 1; lines[last] != "" {
		t.Fatal("the list does not end with a line break")
	}
	return lines[:len(lines)-1]
}

func TestListIsSortedAndFolded(t *testing.T) {
	list := entries(t)
	long := 0
	for i, entry := range list {
		if i > 0 && list[i-1] >= entry {
			t.Errorf("line %d, %q, does not come after %q", i+1, entry, list[i-1])
		}
		if strings.ToLower(entry) != entry || strings.TrimSpace(entry) != entry || !utf8.ValidString(entry) {
			t.Errorf("line %d, %q, is not folded", i+1, entry)
		}
		if utf8.RuneCountInString(entry) < 4 || len(entry) > 40 {
			t.Errorf("line %d, %q, is too short or too long", i+1, entry)
		}
		if utf8.RuneCountInString(entry) >= passpolicy.Floor {
			long++
		}
	}
	if long < 3000 { // ASVS 6.2.4 requires 3000 entries that are long enough
		t.Errorf("%d of %d entries have %d characters or more, want 3000", long, len(list), passpolicy.Floor)
	}
}

// TestEveryEntryIsRefused checks each entry alone, if it is long enough, and
// with a year and punctuation.
func TestEveryEntryIsRefused(t *testing.T) {
	p := policy(t, passpolicy.Config{MinLength: passpolicy.Floor})
	for _, entry := range entries(t) {
		for _, password := range []string{entry, strings.ToUpper(entry), entry + "!1987", "#" + entry + "..." + entry} {
			got := rule(t, p.Check(t.Context(), password))
			if got == passpolicy.RuleLength && utf8.RuneCountInString(password) < passpolicy.Floor {
				continue
			}
			if got != passpolicy.RuleCommon && got != passpolicy.RuleRepetition {
				t.Errorf("%q breaks %q", password, got)
			}
		}
	}
}

func TestDates(t *testing.T) {
	p := policy(t, passpolicy.Config{MinLength: passpolicy.Floor})
	for password, want := range map[string]passpolicy.Rule{
		"26061987": passpolicy.RuleCommon, "06261987": passpolicy.RuleCommon, "19870626": passpolicy.RuleCommon,
		"26.06.1987": passpolicy.RuleCommon, "1987-06-26!": passpolicy.RuleCommon, "29021988": passpolicy.RuleCommon,
		"29021987": "", "26062187": "", "26061887": "", "26131987": "", "83920174": "", "260619870": "", "x26061987": "",
	} {
		if got := rule(t, p.Check(t.Context(), password)); got != want {
			t.Errorf("%q breaks %q, want %q", password, got, want)
		}
	}
}

func TestSimilarTextsAreNotListed(t *testing.T) {
	p := policy(t, passpolicy.Config{MinLength: passpolicy.Floor})
	for _, password := range []string{"passwordx", "xpassword", "passwora", "passworddrowssapx", "\x00\x01\x02\x03gkwvmz", "~~zz~zgkwvmz", "zyzzyvas"} {
		if got := rule(t, p.Check(t.Context(), password)); got != "" {
			t.Errorf("%q breaks %q", password, got)
		}
	}
}

func TestCommon(t *testing.T) {
	for _, tt := range []struct {
		name, password string
		want           passpolicy.Rule
	}{
		{"digits and a sign", "Password12345678!", passpolicy.RuleCommon},
		{"repeated", "passwordpassword", passpolicy.RuleCommon},
		{"repeated with a rest", "passwordPassword!", passpolicy.RuleCommon},
		{"repeated with digits", "password1password2", passpolicy.RuleCommon},
		{"date of birth", "sunshine19850423", passpolicy.RuleCommon},
		{"digits before", "2024-butterfly-2024", passpolicy.RuleCommon},
		{"digits for letters", "P4$$w0rd-1234567", passpolicy.RuleCommon},
		{"one for i", "pr1nc3ss-2024-xx"[:13] + "!!?", passpolicy.RuleCommon},
		{"one for l", "f0otba11-2024-!!", passpolicy.RuleCommon},
		{"begins with a sign for a letter", "$uper$tar-2024-?", passpolicy.RuleCommon},
		{"begins with a digit for a letter", "4lexandr4 14.02.", passpolicy.RuleCommon},
		{"long entry", "IloveYouSoMuch!", passpolicy.RuleCommon},
		{"spaces between", "i love you so much", passpolicy.RuleCommon},
		{"signs between", "s-u-n-s-h-i-n-e!", passpolicy.RuleCommon},
		{"repeated with signs between", "sun-shine-sun-shine", passpolicy.RuleCommon},
		{"bold letters of mathematics", "\U0001d40fassword12345678", passpolicy.RuleCommon},
		{"repeated with a date", "monkey12.12.1987monkey12.12.1987", passpolicy.RuleCommon},
		{"full width", "\uff30\uff21\uff33\uff33\uff37\uff2f\uff32\uff24\uff11\uff12\uff13\uff14\uff15\uff16\uff17", passpolicy.RuleCommon},
		{"not English", "contrase\u00f1a-20242024", passpolicy.RuleCommon},
		{"not English, decomposed", "contrasen\u0303a-20242024", passpolicy.RuleCommon},
		{"digits alone", "11235813!-97531", passpolicy.RuleCommon},
		{"eleven random digits", "monkey83920174652", ""},
		{"ten random digits and a run", "monkey839201746555", passpolicy.RuleCommon},
		{"other words beside", "password for the bank", ""},
		{"part of a word", "unbelievablepasswordlessness", ""},
		{"two listed words", "purple elephant", ""},
		{"passphrase of listed words", "orange tiger dancing silver", ""},
		{"listed word and another", "sunshine-gkwvmz", ""},
		{"random", random, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := rule(t, policy(t, passpolicy.Config{}).Check(t.Context(), tt.password)); got != tt.want {
				t.Errorf("%q breaks %q, want %q", tt.password, got, tt.want)
			}
		})
	}
}
