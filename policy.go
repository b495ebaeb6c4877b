package ginauth

import "github.com/ginauth/ginauth/gate"

// RegisterPolicy adds a policy: a value whose methods are the rules for users of type U and resources of type R. The
// compiler infers P:
//
//	ginauth.RegisterPolicy[*models.User, *Post](auth.Gate(), PostPolicy{})
//
// Every exported method is a rule. It answers for the ability that has its name with the first letter in lower case:
// View for "view", ForceDelete for "forceDelete". It has one of these types:
//
//	func(ctx context.Context, u U, r R) bool     // a check on a resource
//	func(ctx context.Context, u U, r R) Decision
//	func(ctx context.Context, u U) bool          // a check on the type, see OfType
//	func(ctx context.Context, u U) Decision
//
// For other abilities the gate asks the rules added by Define.
//
// Two methods are special. Before is called before each method of this policy, and decides if it returns true.
// GuestAbilities names the abilities whose methods are called for guests too, with a nil u:
//
//	Before(ctx context.Context, u U, ability string) (Decision, bool)
//	GuestAbilities() []string
//
// RegisterPolicy panics if R has a policy already, or if the policy is not acceptable. [gate.RegisterPolicy] has the
// details.
func RegisterPolicy[U, R, P any](g *Gate, policy P) { gate.RegisterPolicy[U, R](g, policy) }

// OfType returns the resource for a check on the type R instead of one resource: may the user create posts? The
// methods of the policy for R that take no resource answer such a check, and no other rules. All values for the same
// R are equal.
func OfType[R any]() any { return gate.OfType[R]() }
