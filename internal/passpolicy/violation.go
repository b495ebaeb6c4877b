package passpolicy

// A Rule names what a password has to satisfy. Its text is stable: programs may
// compare it and send it to clients.
type Rule string

// The rules, in the order in which they are checked.
const (
	// RuleSize bounds the password at MaxBytes, because hashing reads all of it.
	RuleSize Rule = "size"
	// RuleEncoding asks for valid UTF-8 without U+FFFD, the character that
	// decoders put in place of what they could not read: passwords that differ
	// only there would be one.
	RuleEncoding Rule = "encoding"
	// RuleLength is the minimum length.
	RuleLength Rule = "length"
	// RuleRepetition refuses what is as easily guessed as a listed password
	// without being on any list: a unit of fewer than 8 characters typed again
	// and again ("abcabcabcabcabc"), and fewer parts than half the minimum length,
	// where a part is one character, or three and more that are equal,
	// consecutive, or in a row on a keyboard ("qwertyuiop123456").
	//
	// A longer password that is a repetition is judged by the rules below as if
	// its unit had been typed once.
	RuleRepetition Rule = "repetition"
	// RuleCommon refuses the passwords of the bundled list (ASVS 6.2.4), in any
	// case, and what they are commonly made longer with: repetition, digits for
	// letters ("p4ssw0rd"), and before, after or between its letters others that
	// make ten parts or fewer, none of them a letter, as a date does. So each
	// entry stands for many passwords of the length that is asked for. A date
	// alone is as common. All of the password is compared: one that contains a
	// listed word beside others passes (NIST SP 800-63B-4, 3.1.1.2).
	RuleCommon Rule = "common"
	// RuleContext refuses a password of which fewer than eight parts remain, or
	// ten or fewer that have no letter, once the words of the account and of the
	// application are taken out of it, in any case and also with digits for
	// letters.
	//
	// The words are those between spaces and signs of the texts given, with and
	// without digits at their ends, and all those of a name, of the local part
	// or of the domain of an email address written together. Words of fewer
	// than 4 characters are ignored.
	RuleContext Rule = "context"
	// RuleBreached refuses what Config.Breached reports.
	RuleBreached Rule = "breached"
)

// A Violation is the error of a password that may not be set.
type Violation struct {
	// Rule is the rule that is broken.
	Rule Rule
	// Reason completes the sentence "The password …", as in "must have at least
	// 15 characters". It is the same for all passwords.
	Reason string
}

// Error returns the rule and the reason.
func (v *Violation) Error() string { return "password " + v.Reason + " (" + string(v.Rule) + ")" }

func violation(rule Rule, reason string) error { return &Violation{Rule: rule, Reason: reason} }
