package canon_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/ginauth/ginauth/internal/canon"
)

func TestIdentifier(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain address", "ann@example.org", "ann@example.org"},
		{"upper case", "Ann@EXAMPLE.org", "ann@example.org"},
		{"spaces around", "  ann \t\r\n", "ann"},
		{"wide spaces around", "\u3000ann\u00a0\u2003", "ann"},
		{"full width", "Ａｎｎ＠example.org", "ann@example.org"},
		{"composed", "jos\u00e9", "jos\u00e9"},
		{"decomposed", "jose\u0301", "jos\u00e9"},
		{"decomposed upper case", "JOSE\u0301", "jos\u00e9"},
		{"ligature", "\ufb01n", "fin"},
		{"Kelvin sign", "\u212aim", "kim"},
		{"long s", "\u017fam", "sam"},
		{"sharp s", "Stra\u00dfe", "strasse"},
		{"capital sharp s", "STRA\u1e9eE", "strasse"},
		{"final sigma", "\u03a3\u03bf\u03c6\u03cc\u03c2", "\u03c3\u03bf\u03c6\u03cc\u03c3"},
		{"dotless i is another letter", "\u0131an", "\u0131an"},
		{"dotted capital i keeps its dot", "\u0130an", "i\u0307an"},
		{"iota subscript", "\u0345\u03b1", "\u03b9\u03b1"},
		{"letter of folding after normalizing", "\U0001d400nn", "ann"},
		{"Cherokee", "\uab70\u13a0\u13f8\u13f0", "\u13a0\u13a0\u13f0\u13f0"},
		{"tag is another account", "ann+tag@example.org", "ann+tag@example.org"},
		{"trailing dot is another account", "ann@example.org.", "ann@example.org."},
		{"domain outside ASCII", "Ann@B\u00fccher.DE", "ann@xn--bcher-kva.de"},
		{"decomposed domain", "ann@bu\u0308cher.de", "ann@xn--bcher-kva.de"},
		{"domain in A-labels", "ann@XN--Bcher-KVA.de", "ann@xn--bcher-kva.de"},
		{"sharp s of a domain", "ann@fa\u00df.de", "ann@xn--fa-hia.de"},
		{"two s of a domain", "ann@fass.de", "ann@fass.de"},
		{"final sigma of a domain", "ann@\u03b2\u03cc\u03bb\u03bf\u03c2.gr", "ann@xn--nxasmm1c.gr"},
		{"sigma of a domain", "ann@\u03b2\u03cc\u03bb\u03bf\u03c3.gr", "ann@xn--nxasmq6b.gr"},
		{"ideographic full stop", "ann@example\u3002com", "ann@example.com"},
		{"local part outside ASCII", "J\u00fcrgen@fa\u00df.de", "j\u00fcrgen@xn--fa-hia.de"},
		{"no domain", "stra\u00dfe@", "strasse@"},
		{"quoted", `"a,b"@x`, `"a,b"@x`},
		{"longest", strings.Repeat("a", 254), strings.Repeat("a", 254)},
		{"longest with spaces", strings.Repeat(" ", 770) + strings.Repeat("a", 254), strings.Repeat("a", 254)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := canon.Identifier(tt.in)
			if err != nil || got != tt.want {
				t.Errorf("Identifier(%+q) = %+q, %v; want %+q", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestIdentifierRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     error
	}{
		{"nothing", "", canon.ErrEmpty},
		{"white space", " \t\u3000\n", canon.ErrEmpty},
		{"broken A-label", "ann@xn--0000000000.de", canon.ErrMalformed},
		{"A-label of ASCII", "ann@xn--fass-.de", canon.ErrMalformed},
		{"A-label that is too long", "ann@" + strings.Repeat("\u00fc", 60) + ".de", canon.ErrMalformed},
		{"255 bytes", strings.Repeat("a", 255), canon.ErrTooLong},
		{"input over its limit", strings.Repeat(" ", 1024) + "a", canon.ErrTooLong},
		{"a megabyte of rubbish", strings.Repeat("\xff", 1<<20), canon.ErrTooLong},
		{"too long once normalized", strings.Repeat("\ufdfb", 80), canon.ErrMalformed}, // and has a space inside
		{"grows over its limit", strings.Repeat("\u0149", 85), canon.ErrTooLong},
		{"invalid UTF-8", "ann\xff", canon.ErrMalformed},
		{"surrogate", "ann\xed\xa0\x80", canon.ErrMalformed},
		{"replacement character", "ann\ufffd", canon.ErrMalformed},
		{"space inside", "ann b", canon.ErrMalformed},
		{"no-break space inside", "ann\u00a0b", canon.ErrMalformed},
		{"tab inside", "ann\tb", canon.ErrMalformed},
		{"header injection", "a@x\r\nBcc: e@x", canon.ErrMalformed},
		{"NUL", "ann\x00", canon.ErrMalformed},
		{"leading NUL", "\x00ann", canon.ErrMalformed},
		{"delete", "ann\x7f", canon.ErrMalformed},
		{"C1 control", "ann\u0081", canon.ErrMalformed},
		{"zero width space", "a\u200bnn", canon.ErrMalformed},
		{"zero width joiner at the end", "ann\u200d", canon.ErrMalformed},
		{"soft hyphen", "a\u00adnn", canon.ErrMalformed},
		{"byte order mark", "\ufeffann", canon.ErrMalformed},
		{"right-to-left override", "\u202enna", canon.ErrMalformed},
		{"line separator", "ann\u2028b", canon.ErrMalformed},
		{"variation selector", "ann\ufe0f", canon.ErrMalformed},
		{"combining grapheme joiner", "a\u034fnn", canon.ErrMalformed},
		{"Hangul filler", "ann\u3164", canon.ErrMalformed},
		{"tag character", "ann\U000e0061", canon.ErrMalformed},
		{"private use", "ann\ue000", canon.ErrMalformed},
		{"noncharacter", "ann\uffff", canon.ErrMalformed},
		{"becomes a space", "\u00b4ann", canon.ErrMalformed},
		{"endless accents", "a" + strings.Repeat("\u0301", 40), canon.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := canon.Identifier(tt.in); got != "" || !errors.Is(err, tt.want) {
				t.Errorf("Identifier(%.40q) = %.40q, %v; want %v", tt.in, got, err, tt.want)
			}
		})
	}
}

// TestEveryRune checks every single character, because random texts contain few
// of them.
func TestEveryRune(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		// Han and Hangul characters have no case, so most of them are skipped.
		if !unicode.IsGraphic(r) || unicode.In(r, unicode.Han, unicode.Hangul) {
			continue
		}
		checkIdentifier(t, "x"+string(r))
		if unicode.IsLetter(r) && norm.NFKC.IsNormalString(string(r)) {
			if _, err := canon.Identifier("x" + string(r)); err != nil {
				t.Errorf("letter %U: %v", r, err)
			}
		}
	}
}

func FuzzIdentifier(f *testing.F) {
	for _, seed := range []string{
		"Ann@Example.org", " ann ", "Ａ", "\u0131", "\u0130", "\u212a", "\u00df", "\u1e9e", "jose\u0301",
		"\u0345\u03b1", "\u1fb3\u0301", "a\u0315\u0300", "\ufb03", "\U0001d400", "\u03d3\u0308", "\xff", "a b", "\u200b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) { checkIdentifier(t, s) })
}

func checkIdentifier(t *testing.T, s string) {
	t.Helper()
	id, err := canon.Identifier(s)
	if err != nil {
		if id != "" {
			t.Errorf("Identifier(%+q) = %+q with an error", s, id)
		}
		return
	}
	if id == "" || len(id) > canon.MaxIdentifier || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsSpace) {
		t.Errorf("Identifier(%+q) = %+q", s, id)
	}
	if again, err := canon.Identifier(id); err != nil || again != id {
		t.Errorf("Identifier(%+q) = %+q, whose canonical form is %+q, %v", s, id, again, err)
	}
	if spaced, err := canon.Identifier(" " + id + "\n"); err != nil || spaced != id {
		t.Errorf("Identifier(%+q) with spaces = %+q, %v", id, spaced, err)
	}
}

func BenchmarkIdentifier(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		canon.Identifier("Ann.Example@Example.org")
	}
}

func TestASCIIDomain(t *testing.T) {
	for in, want := range map[string]string{
		"Ann@B\u00fccher.de": "Ann@xn--bcher-kva.de", "J\u00fcrgen@fa\u00df.de": "J\u00fcrgen@xn--fa-hia.de", "ann@fass.de": "ann@fass.de",
		"Ann@XN--Bcher-KVA.de": "Ann@XN--Bcher-KVA.de", "b\u00fccher": "b\u00fccher", "": "", "ann@-\u00fc": "ann@-\u00fc",
	} {
		if got := canon.ASCIIDomain(in); got != want {
			t.Errorf("ASCIIDomain(%+q) = %+q, want %+q", in, got, want)
		}
	}
}
