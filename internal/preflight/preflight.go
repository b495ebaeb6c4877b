// Package preflight finds what is likely to be wrong with a finished application.
package preflight

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/ginauth/ginauth/config"
	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

// Finding is a problem with a subject: a setting, an ability, a route.
type Finding = config.Finding

// abilities finds abilities that routes ask for and no rule defines.
func abilities(rules []gate.Rule, asked map[string]bool) []Finding {
	var found []Finding
	for name := range asked {
		if !slices.ContainsFunc(rules, func(r gate.Rule) bool { return r.Ability == name }) {
			found = append(found, Finding{Subject: fmt.Sprintf("ability %q", name),
				Problem: "Authorize asks for it and no rule defines it: every request is denied"})
		}
	}
	return sorted(found)
}

// resourceTypes finds types of resources that routes ask about and whose policy is for the pointer
// type, or for the type that they point to.
func resourceTypes(rules []gate.Rule, asked map[reflect.Type]bool) []Finding {
	var found []Finding
	has := func(t reflect.Type) (policy reflect.Type) {
		for _, r := range rules {
			if r.Policy != nil && r.Resource == t {
				return r.Policy
			}
		}
		return nil
	}
	for t := range asked {
		other := gate.Counterpart(t)
		if policy := has(other); policy != nil && has(t) == nil {
			found = append(found, Finding{
				Subject: fmt.Sprintf("policy %v", policy),
				Problem: fmt.Sprintf("is for %v, and Authorize asks about %v: the policy is not asked. Use one of the types for both", other, t),
			})
		}
	}
	return sorted(found)
}

// userTypes finds rules for types of users that no provider returns, as far as the providers
// tell. Email says that a route requires a verified address.
func userTypes(rules []gate.Rule, providers []models.UserProvider, email bool) []Finding {
	var types []reflect.Type
	for _, provider := range providers {
		p, ok := provider.(models.Prototype)
		if !ok {
			return nil // it may return any type
		}
		types = append(types, reflect.TypeOf(p.PrototypeUser()))
	}
	var found []Finding
	for _, rule := range rules {
		if !slices.ContainsFunc(types, func(t reflect.Type) bool { return t.AssignableTo(rule.User) }) {
			found = append(found, Finding{Subject: fmt.Sprintf("ability %q", rule.Ability),
				Problem: fmt.Sprintf("is for users of type %v, which no provider returns: every request is denied", rule.User)})
		}
	}
	verifiable := reflect.TypeFor[models.EmailVerifiable]()
	if email && !slices.ContainsFunc(types, func(t reflect.Type) bool { return t.Implements(verifiable) }) {
		found = append(found, Finding{Subject: "EnsureEmailVerified",
			Problem: "no provider returns users that implement models.EmailVerifiable: every request is denied"})
	}
	return found
}

// Stores finds stores that are not set up well. Lasting says that the application's key
// outlives the process.
func Stores(ctx context.Context, set stores.Set, lasting bool) []Finding {
	var found []Finding
	if _, memory := set.Tokens.(*memstore.Tokens); memory && set.ClientSessions != nil && lasting {
		found = append(found, Finding{Subject: "Stores.Tokens",
			Problem: "are in memory beside Stores.ClientSessions: a session that ended is valid again after a restart, and in every other process: " +
				"name a token store that is shared and lasts"})
	}
	found = append(found, unlimited(set)...)
	for name, store := range map[string]any{
		"Stores.Sessions": set.Sessions, "Stores.ClientSessions": set.ClientSessions,
		"Stores.Tokens": set.Tokens, "Stores.Limiter": set.Limiter,
	} {
		checker, ok := store.(stores.Checker)
		if !ok {
			continue
		}
		problems, err := checker.Check(ctx)
		if err != nil {
			found = append(found, Finding{Subject: name, Problem: fmt.Sprintf("could not be checked: %v", err)})
		}
		for _, problem := range problems {
			found = append(found, Finding{Subject: name, Problem: problem})
		}
	}
	return sorted(found)
}

// Users finds users who cannot log in, as far as the providers tell.
func Users(ctx context.Context, providers []models.UserProvider, hasher *hashing.Manager) []Finding {
	var found []Finding
	var asked []any
	for _, provider := range providers {
		checker, ok := provider.(models.UserChecker)
		if !ok || slices.ContainsFunc(asked, func(other any) bool { return reflect.TypeOf(provider).Comparable() && other == provider }) {
			continue
		}
		asked = append(asked, provider)
		hash, err := hasher.Hash(ctx, "a password to measure")
		var problems []string
		if err == nil {
			problems, err = checker.CheckUsers(ctx, models.HashCheck{Longest: len(hash), Readable: hasher.Readable})
		}
		if err != nil {
			found = append(found, Finding{Subject: "Users", Problem: fmt.Sprintf("could not be checked: %v", err)})
		}
		for _, problem := range problems {
			found = append(found, Finding{Subject: "Users", Problem: problem})
		}
	}
	return found
}

// unlimited finds stores in which one user can have any number of records.
func unlimited(set stores.Set) (found []Finding) {
	if _, ok := set.Sessions.(stores.SessionLimit); !ok && set.Sessions != nil {
		found = append(found, Finding{Subject: "Stores.Sessions",
			Problem: "cannot limit the sessions of a user, so one client that is logged in can fill the store: implement stores.SessionLimit"})
	}
	if _, ok := set.Tokens.(stores.TokenLimit); !ok && set.Tokens != nil {
		found = append(found, Finding{Subject: "Stores.Tokens",
			Problem: "cannot limit the logins of a user, so one client that is logged in can fill the store: implement stores.TokenLimit"})
	}
	return found
}

func sorted(found []Finding) []Finding {
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Problem, b.Problem))
	})
	return found
}

// Setting is a setting and whether it is unsafe.
type Setting struct {
	Unsafe           bool
	Subject, Problem string
}

// Settings finds the unsafe ones.
func Settings(all []Setting) []Finding {
	var found []Finding
	for _, s := range all {
		if s.Unsafe {
			found = append(found, Finding{Subject: s.Subject, Problem: s.Problem})
		}
	}
	return found
}

// Routes finds routes that no middleware guards, given those. Err says why they cannot be
// read.
func Routes(unguarded []string, err error) []Finding {
	if err != nil {
		return []Finding{{Subject: "routes", Problem: fmt.Sprintf(
			"cannot be read with this version of Gin (%v): check yourself that each has a guard", err)}}
	}
	var found []Finding
	for _, route := range unguarded {
		found = append(found, Finding{Subject: route, Problem: "has neither Auth nor Guest before its handler: add one, or Public if every client may use it"})
	}
	return found
}
