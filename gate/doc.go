// Package gate decides what a user may do. It needs neither Gin nor package
// ginauth, so commands, background jobs and other HTTP servers can use it. Package
// ginauth exports its types and functions under the same names (New is NewGate
// there), and gives each request a gate for its user.
//
// # Rules
//
// A [Gate] holds rules. A rule answers whether a user has an ability, such as
// "update", on a resource, such as a *Post. There are two kinds of rules:
//
//   - An ability is one function. [Define] adds one that takes a resource,
//     [DefineUser] one that takes none.
//   - A policy is a value whose methods are the rules for one type of resource.
//     [RegisterPolicy] adds one. Its method Update answers for "update".
//
// Rules are generic: they are written for the application's own types of users and
// resources, and the compiler checks them.
//
//	rules := gate.New()
//	gate.DefineUser(rules, "see-reports", func(ctx context.Context, u *User) bool { return u.Staff })
//	gate.RegisterPolicy[*User, *Post](rules, PostPolicy{})
//
//	g := rules.ForUser(user)
//	if err := g.Authorize(ctx, "update", post); err != nil {
//		return err
//	}
//
// Mistakes in a rule, such as a name that is used twice or a policy method of an
// unknown shape, panic when the rule is added.
//
// # Order of a check
//
//  1. The hooks of [Gate.Before]. If one decides, steps 2 and 3 are skipped.
//  2. The policy for the type of the resource, if it has a method for the ability.
//     The policy's own method Before is asked first.
//  3. The ability of that name, if the policy has no method for it.
//  4. The hooks of [Gate.After]. They can deny what was allowed, and can allow only
//     what no hook and no rule decided.
//
// Everything else is denied: an ability that nobody defined, a resource of a type
// without a policy, a nil resource, a user of another type than the rule is for, a
// user without an identifier, a rule or hook that panics. Names of abilities are
// compared byte for byte.
//
// # Results
//
// A rule returns a bool or a [Decision]. [Deny] adds a message for the client,
// [DenyWithStatus] another HTTP status than 403, and [DenyAsNotFound] hides that the
// resource exists. [Undecided] says that the rule could not find out, for example
// because a database failed: such a check allows nothing, and its status is 503. A
// rule that denies while its context has ended counts as undecided, because a query
// may have been cut off.
//
// # Guests
//
// A guest is a request or caller without a user. Guests are denied with status 401,
// and the rule is not called. A rule added by [DefineGuest] or [DefineUserGuest], or
// named by the policy's method GuestAbilities, is called for guests too, with a nil
// user.
//
// # Checks on a type
//
// Some questions are about no particular resource: may this user create posts? Pass
// the value of [OfType] as the resource. It is answered by the methods of the policy
// that take no resource:
//
//	g.Allows(ctx, "create", gate.OfType[*Post]())
//
// # Users
//
// [Gate.ForUser] returns a gate for one user. [Gate.Bind] makes a gate whose user is
// looked up at each check, by a [Source]. That is how a request, whose user can
// change by a login, has a gate.
//
// # Concurrency
//
// All functions and methods can be called from several goroutines at once. Rules can
// be added while checks run. A check takes no lock, and Allows allocates no memory
// unless something fails.
//
// # Errors
//
// [Gate.Authorize] and [Decision.Err] return an [*AuthorizationError]. It wraps
// ErrForbidden, ErrUnauthenticated, ErrNotFound or ErrUnavailable of package autherr,
// and has the HTTP status to respond with. [Gate.SetReporter] sets a function that
// logs why a check was denied by a mistake or failure rather than by a rule.
package gate
