package ginauth_test

import (
	"context"
	"fmt"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

type Article struct {
	AuthorID uint64
	Draft    bool
}

func ExampleDefine() {
	gate := ginauth.NewGate()
	ginauth.Define(gate, "edit-article", func(_ context.Context, u *models.User, a *Article) bool {
		return u.ID == a.AuthorID
	})

	article := &Article{AuthorID: 1}
	for _, id := range []uint64{1, 2} {
		user := &models.User{ID: id}
		fmt.Println(gate.ForUser(user).Authorize(context.Background(), "edit-article", article))
	}
	// Output:
	// <nil>
	// ginauth: this action is not allowed: ability "edit-article"
}

type ArticlePolicy struct{}

// GuestAbilities lets everybody read.
func (ArticlePolicy) GuestAbilities() []string { return []string{"view"} }

func (ArticlePolicy) View(_ context.Context, u *models.User, a *Article) ginauth.Decision {
	if a.Draft && (u == nil || u.ID != a.AuthorID) {
		return ginauth.DenyAsNotFound()
	}
	return ginauth.Allow()
}

func (ArticlePolicy) Update(_ context.Context, u *models.User, a *Article) ginauth.Decision {
	if u.ID != a.AuthorID {
		return ginauth.Deny("Only the author can change an article.")
	}
	return ginauth.Allow()
}

func (ArticlePolicy) Create(_ context.Context, u *models.User) bool { return u.AuthEmailVerified() }

func ExampleRegisterPolicy() {
	gate := ginauth.NewGate()
	ginauth.RegisterPolicy[*models.User, *Article](gate, ArticlePolicy{})

	ctx := context.Background()
	draft := &Article{AuthorID: 1, Draft: true}
	reader := gate.ForUser(&models.User{ID: 2})
	guest := gate.ForUser(nil)

	fmt.Println(reader.Inspect(ctx, "view", draft).Status())
	d := reader.Inspect(ctx, "update", draft)
	fmt.Println(d.Status(), d.Message())
	fmt.Println(guest.Inspect(ctx, "update", draft).Status())
	fmt.Println(guest.Inspect(ctx, "view", &Article{AuthorID: 1}).Status())
	// Output:
	// 404
	// 403 Only the author can change an article.
	// 401
	// 200
}

func ExampleOfType() {
	gate := ginauth.NewGate()
	ginauth.RegisterPolicy[*models.User, *Article](gate, ArticlePolicy{})

	unverified := gate.ForUser(&models.User{ID: 1})
	fmt.Println(unverified.Allows(context.Background(), "create", ginauth.OfType[*Article]()))
	// Output: false
}

func ExampleGate_Before() {
	gate := ginauth.NewGate()
	ginauth.RegisterPolicy[*models.User, *Article](gate, ArticlePolicy{})
	gate.Before(func(_ context.Context, u models.Authenticatable, ability string, _ any) (ginauth.Decision, bool) {
		if u != nil && u.AuthID() == "42" && ability != "forceDelete" {
			return ginauth.Allow(), true
		}
		return ginauth.Decision{}, false // no opinion: the rules decide
	})

	admin := gate.ForUser(&models.User{ID: 42})
	article := &Article{AuthorID: 1}
	fmt.Println(admin.Allows(context.Background(), "update", article))
	fmt.Println(admin.Allows(context.Background(), "forceDelete", article))
	// Output:
	// true
	// false
}
