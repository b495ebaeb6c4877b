package passpolicy

// Rule identifies a rule for passwords. Its text is stable: applications may
// compare it and send it to clients.
type Rule string

// The rules, in the order in which they are checked.
const (
	// RuleSize limits the length to MaxBytes, because hashing reads the whole
	// password.
	RuleSize Rule = "size"
	// RuleEncoding requires valid UTF-8 without U+FFFD. Decoders insert that
	// character for invalid input, so passwords that differ only there would be
	// equal.
	RuleEncoding Rule = "encoding"
	// RuleLength requires the minimum length.
	RuleLength Rule = "length"
	// RuleRepetition refuses passwords that are as easy to guess as a common
	// one without being on a list: repetitions of fewer than 8 characters
	// ("abcabcabcabcabc"), and passwords with fewer parts than half the minimum
	// length. A part is a single character, or a run of at least three
	// characters that are equal, consecutive, or adjacent on a keyboard
	// ("qwertyuiop123456").
	//
	// If a longer password is a repetition, the following rules check only one
	// repetition.
	RuleRepetition Rule = "repetition"
	// RuleCommon refuses the passwords of the bundled list (ASVS 6.2.4) and
	// their common extensions, in any case: repetitions, digits for letters
	// ("p4ssw0rd"), and up to ten additional parts without letters before,
	// after or between the letters, such as a date. Each entry of the list
	// therefore covers many passwords of the required length. Dates alone are
	// refused too. The rule compares the whole password: a password that
	// contains a listed word next to other words passes (NIST SP 800-63B-4,
	// 3.1.1.2).
	RuleCommon Rule = "common"
	// RuleContext refuses passwords that consist mainly of words of the account
	// or the application. Without these words, fewer than eight parts remain,
	// or at most ten parts without letters. Words are recognized in any case
	// and with digits for letters.
	//
	// The words are the parts of the given texts between spaces and
	// punctuation, with and without digits at their ends. In addition, the
	// words of a name, of the local part and of the domain of an email address
	// are joined. Words of fewer than 4 characters are ignored.
	RuleContext Rule = "context"
	// RuleBreached refuses passwords that Config.Breached reports.
	RuleBreached Rule = "breached"
)

// Violation is the error for a password that is not acceptable.
type Violation struct {
	// Rule is the rule that the password breaks.
	Rule Rule
	// Reason completes the sentence "The password …", as in "must have at least
	// 15 characters". It does not depend on the password.
	Reason string
}

// Error returns the rule and the reason.
func (v *Violation) Error() string { return "password " + v.Reason + " (" + string(v.Rule) + ")" }

func violation(rule Rule, reason string) error { return &Violation{Rule: rule, Reason: reason} }
