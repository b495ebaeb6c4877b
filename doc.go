// Package ginauth is an authentication and authorization suite for Gin:
// sessions, signed access tokens with rotating refresh tokens, personal access
// tokens, guards, gates and policies, password hashing, login throttling and
// events.
//
// # Quick start
//
//	r := gin.New()
//	r.Use(ginauth.Recovery(), ginauth.StartSession())
//
// is enough for sessions, in memory. For logins, make a Manager that knows the
// users, and name it the default:
//
//	auth, err := ginauth.New(ginauth.Config{
//		Key:    ginauth.Key(os.Getenv("APP_KEY")),
//		Users:  gormstore.Users[models.User](db),
//		Stores: gormstore.New(db),
//	})
//	ginauth.SetDefault(auth)
//
//	r.POST("/login", ginauth.ThrottleLogins(), login)
//	r.GET("/me", ginauth.Auth(), me)
//	r.PATCH("/posts/:id", ginauth.Auth(),
//		ginauth.Authorize("update", ginauth.Load("id", gormstore.Find[Post](db))), updatePost)
//
// The package-level middlewares are the default manager's methods of the same
// name. New checks the whole configuration and reports all faults at once;
// Preflight looks at the finished application.
//
// # Concepts
//
// A [Manager] is the application object. A [Session] keeps values between
// requests; its changes are stored before the first byte of the response. A
// [Guard] finds out who a request is from: by the session, by a signed access
// token ([JWTGuard]) or by a personal access token ([TokenGuard]). The
// [Authenticator], under "auth" on the context, is the request's handle to ask
// and to log in and out. The [Gate], under "gate", decides who may do what, by
// abilities and policies. Package gate describes it, and can be used without Gin.
// Stores, user types and user providers are contracts in the packages stores
// and models.
//
// # Errors
//
// Every method returns errors that [Abort] answers with the right status: 401
// for nobody, 403 for not allowed, 422 for bad input, 429 for too many tries,
// 503 for an outage. What cannot be found out is always 503: never a guest,
// never allowed. Methods without an error result say no then, and the request
// is answered with 503 whatever its handler writes.
//
// # Contexts
//
// Pass c.Request.Context() where a method takes a context. A *gin.Context is
// reused for another request once its own has ended.
package ginauth
