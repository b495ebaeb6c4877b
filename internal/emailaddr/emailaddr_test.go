package emailaddr_test

import (
	"errors"
	"net/mail"
	"strings"
	"testing"
	"unicode"

	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/internal/emailaddr"
)

func TestCheck(t *testing.T) {
	for _, tt := range []struct{ name, address string }{
		{"plain", "ann@example.org"},
		{"upper case", "Ann.Lee@Example.ORG"},
		{"tag", "ann+news@example.org"},
		{"signs", "!#$%&'*+/=?^_`{|}~-@example.org"},
		{"digits", "123@456.example7"},
		{"one character each", "a@b.c"},
		{"several labels", "ann@mail.eu.example.co.uk"},
		{"hyphens", "ann@my--host.ex-ample.org"},
		{"punycode", "ann@xn--mnchen-3ya.example"},
		{"Unicode domain", "ann@m\u00fcnchen.example"},
		{"Unicode domain in another script", "ann@\u4f8b\u3048.\u30c6\u30b9\u30c8"},
		{"domain with marks", "ann@\u0939\u093f\u0928\u094d\u0926\u0940.example"},
		{"longest local part", strings.Repeat("a", 64) + "@example.org"},
		{"longest label", "a@" + strings.Repeat("b", 63) + ".org"},
		{"longest", longest(254)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := emailaddr.Check(tt.address); err != nil {
				t.Errorf("%q: %v", tt.address, err)
			}
			checkAccepted(t, tt.address)
		})
	}
}

// longest returns an address of n bytes with a short local part.
func longest(n int) string {
	return "a@" + strings.Repeat(strings.Repeat("b", 62)+".", 3) + strings.Repeat("c", n-2-3*63)
}

var refused = []struct{ name, address, reason string }{
	{"nothing", "", "is required"},
	{"255 bytes", longest(255)[:254] + "d", "254 bytes"},
	{"a megabyte", strings.Repeat("a@", 1<<19), "254 bytes"},
	{"no at sign", "ann.example.org", "one @"},
	{"two at signs", "ann@example@org", "one @"},
	{"two addresses", "a@x.org,b@x.org", "one @"},
	{"two addresses with a space", "a@x.org b@x.org", "one @"},
	{"list of names", "a@x.org;b@x.org", "one @"},
	{"route", "@a.org:b@x.org", "one @"},
	{"at sign in quotes", `"a@b"@x.org`, "one @"},
	{"header injection", "a@x.org\r\nBcc: e@x.org", "one @"},
	{"header injection without an at sign", "a@x.org\r\nBcc: e", "domain of letters"},
	{"line break before the at sign", "a\r\nb@x.org", "before the @"},
	{"full width at sign", "ann\uff20example.org", "one @"},
	{"no local part", "@example.org", "before the @"},
	{"65 bytes before the at sign", strings.Repeat("a", 65) + "@example.org", "before the @"},
	{"space around", " ann@example.org", "before the @"},
	{"space behind", "ann@example.org ", "domain of letters"},
	{"space inside", "ann lee@example.org", "before the @"},
	{"quoted", `"ann"@example.org`, "before the @"},
	{"quoted space", `"ann lee"@example.org`, "before the @"},
	{"backslash", `ann\@example.org`, "before the @"},
	{"comment", "ann(work)@example.org", "before the @"},
	{"comment behind", "ann@example.org(work)", "domain of letters"},
	{"name and brackets", "Ann <ann@example.org>", "before the @"},
	{"brackets", "<ann@example.org>", "before the @"},
	{"comma", "a,b@example.org", "before the @"},
	{"colon", "mailto:ann@example.org", "before the @"},
	{"NUL", "ann\x00@example.org", "before the @"},
	{"NUL behind", "ann@example.org\x00", "domain of letters"},
	{"delete", "ann\x7f@example.org", "before the @"},
	{"accent before the at sign", "jos\u00e9@example.org", "before the @"},
	{"Kelvin sign before the at sign", "\u212aim@example.org", "before the @"},
	{"dotless i before the at sign", "\u0131an@example.org", "before the @"},
	{"zero width space before the at sign", "ann\u200b@example.org", "before the @"},
	{"invalid UTF-8 before the at sign", "ann\xff@example.org", "before the @"},
	{"dot first", ".ann@example.org", "no dot first"},
	{"dot last", "ann.@example.org", "no dot first"},
	{"two dots", "ann..lee@example.org", "no dot first"},
	{"no domain", "ann@", "domain of letters"},
	{"localhost", "ann@localhost", "with a dot"},
	{"underscore in the domain", "ann@my_host.org", "domain of letters"},
	{"percent in the domain", "ann@a%b.org", "domain of letters"},
	{"port", "ann@example.org:25", "domain of letters"},
	{"invalid UTF-8 in the domain", "ann@ex\xffample.org", "domain of letters"},
	{"zero width joiner in the domain", "ann@ex\u200dample.org", "domain of letters"},
	{"right-to-left override in the domain", "ann@\u202egro.elpmaxe", "domain of letters"},
	{"emoji in the domain", "ann@\U0001f600.example", "domain of letters"},
	{"dot of another script", "ann@example\u3002org", "domain of letters"},
	{"full width domain", "ann@\uff45xample.org", "look like others"},
	{"Kelvin sign in the domain", "ann@\u212aim.org", "look like others"},
	{"decomposed domain", "ann@mu\u0308nchen.example", "look like others"},
	{"invisible letter in the domain", "ann@ex\u115fample.org", "look like others"},
	{"variation selector in the domain", "ann@ex\ufe0fample.org", "look like others"},
	{"dot behind", "ann@example.org.", "between the dots"},
	{"dot before the domain", "ann@.example.org", "between the dots"},
	{"two dots in the domain", "ann@example..org", "between the dots"},
	{"hyphen before a label", "ann@-example.org", "between the dots"},
	{"hyphen behind a label", "ann@example-.org", "between the dots"},
	{"hyphen behind the domain", "ann@example.org-", "between the dots"},
	{"label of 64 bytes", "a@" + strings.Repeat("b", 64) + ".org", "between the dots"},
	{"label of 22 wide characters", "a@" + strings.Repeat("\u4f8b", 22) + ".org", "between the dots"},
	{"mark first", "ann@\u0300example.org", "between the dots"},
	{"address of a machine", "ann@192.0.2.1", "number"},
	{"address of a machine in brackets", "ann@[192.0.2.1]", "domain of letters"},
	{"IPv6 address", "ann@[IPv6:2001:db8::1]", "domain of letters"},
	{"number on top", "ann@example.123", "number"},
}

func TestCheckRefuses(t *testing.T) { // W12, T03
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			err := emailaddr.Check(tt.address)
			var fault *emailaddr.Error
			if !errors.As(err, &fault) || !strings.Contains(fault.Reason, tt.reason) {
				t.Fatalf("%.80q: %v, want %q", tt.address, err, tt.reason)
			}
			if len(tt.address) > 4 && strings.Contains(err.Error(), tt.address) {
				t.Errorf("%.80q is quoted: %v", tt.address, err)
			}
		})
	}
}

// checkAccepted checks the properties that Check guarantees for an accepted
// address.
func checkAccepted(t *testing.T, address string) {
	t.Helper()
	if strings.ContainsAny(address, "\r\n\x00,;:<>()[]\\\" ") || strings.ContainsFunc(address, unicode.IsControl) || len(address) > emailaddr.MaxAddress {
		t.Errorf("%q is accepted", address)
	}
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address || parsed.Name != "" {
		t.Errorf("net/mail reads %q as %v, %v", address, parsed, err)
	}
	if list, err := mail.ParseAddressList(address); err != nil || len(list) != 1 {
		t.Errorf("net/mail reads %q as %d addresses, %v", address, len(list), err)
	}
	id, err := canon.Identifier(address)
	if err != nil || strings.Count(id, "@") != 1 {
		t.Errorf("%q has the canonical form %q, %v", address, id, err)
	}
	if !strings.EqualFold(id, address) && isASCII(address) {
		t.Errorf("%q has the canonical form %q", address, id)
	}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

func FuzzCheck(f *testing.F) {
	for _, tt := range refused {
		if len(tt.address) < 300 {
			f.Add(tt.address)
		}
	}
	for _, seed := range []string{"ann@example.org", "a@b.c", "A+b@M\u00fcnchen.example", "'@x.y", "=?utf-8?q?=41?=@x.y", "a@\u01c4.org", "a@\u1e9e.de", "a@\u0130.tr"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if emailaddr.Check(address) == nil {
			checkAccepted(t, address)
		}
	})
}
