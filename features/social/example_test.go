package social_test

import (
	"fmt"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/social"
	"github.com/ginauth/ginauth/ginauthtest"
)

func Example() {
	signIn := social.New(social.Options{Providers: []social.Provider{
		social.Google(social.Client{ID: "1.apps.googleusercontent.com", Secret: "…"}),
		social.OIDC(social.OIDCConfig{Name: "company", Title: "Example Ltd.", Issuer: "https://id.example.com", ClientID: "app", ClientSecret: "…"}),
	}})
	auth, err := ginauth.New(ginauth.Config{
		Users: new(ginauthtest.Users), Mail: ginauth.MailConfig{BaseURL: "https://app.example"}, Features: []ginauth.Feature{signIn},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	gin.SetMode(gin.TestMode)
	signIn.Mount(gin.New())
	for _, b := range signIn.Buttons() {
		fmt.Printf("<form method=\"post\" action=%q><button>Continue with %s</button></form>\n", b.Path, b.Title)
	}
	_ = auth
	// Output:
	// <form method="post" action="/auth/google"><button>Continue with Google</button></form>
	// <form method="post" action="/auth/company"><button>Continue with Example Ltd.</button></form>
}
