package ginauth

import "github.com/ginauth/ginauth/gate"

// RegisterPolicy adds a policy: a value whose methods are the rules for users of type U and resources of type R. The
// compiler infers P:
//
//	ginauth.RegisterPolicy[*models.User, *Post](auth.Gate(), PostPolicy{})
//
// Every exported method is a rule. It answers for the ability that has its name with the first letter in lower case:
// View for "view", ForceDelete for "forceDelete". [gate.RegisterPolicy] has the types of methods, those that are special,
// and the reasons to panic.
func RegisterPolicy[U, R, P any](g *Gate, policy P) { gate.RegisterPolicy[U, R](g, policy) }

// OfType returns the resource for a check on the type R instead of one resource: may the user create posts? The methods of
// the policy for R that take no resource answer such a check, and no other rules. All values for the same R are equal.
func OfType[R any]() any { return gate.OfType[R]() }
