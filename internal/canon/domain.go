package canon

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// domains maps domains as IDNA2008 does with the mapping of UTS #46, without its transitional
// processing: "faß.de" and "fass.de" are different domains, of different people.
var domains = idna.New(
	idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true), idna.VerifyDNSLength(true),
	idna.BidiRule(), idna.CheckJoiners(true),
)

// cutInternational cuts a text into the parts around its only @, in form NFKC. It reports false if
// the text has no such parts, or if the domain is not an internationalized one.
func cutInternational(text string) (local, domain string, ok bool) {
	text = norm.NFKC.String(text) // keeps ß, which folding would replace
	local, domain, ok = strings.Cut(text, "@")
	if !ok || local == "" || strings.Contains(domain, "@") {
		return "", "", false
	}
	return local, domain, !isASCII(domain) || strings.Contains(strings.ToLower(domain), "xn--")
}

// address returns the canonical form of an email address whose domain is internationalized: the
// domain in A-labels (RFC 5890, 2.3.2.1), so that both spellings of a mailbox are one account.
func address(local, domain string) (string, bool) {
	domain, err := domains.ToASCII(domain)
	if err != nil {
		return "", false
	}
	local, ok := fold(local)
	return local + "@" + domain, ok
}

// ASCIIDomain returns an email address with its domain in A-labels, which every mail server
// understands. The part before the @ stays as it is, and so does a text that is no address with an
// internationalized domain.
func ASCIIDomain(email string) string {
	at := strings.LastIndexByte(email, '@')
	if at < 0 || isASCII(email[at:]) {
		return email
	}
	domain, err := domains.ToASCII(email[at+1:])
	if err != nil {
		return email
	}
	return email[:at+1] + domain
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
