// Package ginauth is an authentication and authorization suite for Gin: sessions, login and remember-me, signed
// access tokens with rotating refresh tokens, personal access tokens, accounts, password hashing, gates and policies,
// login throttling and events.
//
// # Quick start
//
// The zero configuration keeps sessions in memory. For logins, make a [Manager] that knows the users, and make it the
// default:
//
//	auth, err := ginauth.New(ginauth.Config{
//		Key:    ginauth.Key(os.Getenv("APP_KEY")),
//		Users:  gormstore.Users[models.User](db),
//		Stores: gormstore.New(db),
//	})
//	ginauth.SetDefault(auth)
//
//	r := gin.New()
//	r.Use(ginauth.Recovery(), ginauth.StartSession())
//	routes.Mount(r, auth, routes.Options{}) // POST /register, /login, /logout, …
//	r.GET("/me", ginauth.Auth(), me)
//	r.PATCH("/posts/:id", ginauth.Auth(),
//		ginauth.Authorize("update", ginauth.Load("id", gormstore.Find[Post](db))), updatePost)
//
// The package-level middlewares are methods of the default manager. Call [SetDefault] before you make the first of
// them. [New] checks the whole configuration and reports all faults at once. [Manager.Preflight] looks at the
// finished application.
//
// # Packages
//
//   - [github.com/ginauth/ginauth]: the manager, the middlewares, sessions, guards, accounts, tokens and the gate.
//   - [github.com/ginauth/ginauth/routes] and [github.com/ginauth/ginauth/pages]: ready-made endpoints for accounts; pages.
//   - [github.com/ginauth/ginauth/gate] and [github.com/ginauth/ginauth/models]: the gate without Gin; the user type, and contracts for yours.
//   - [github.com/ginauth/ginauth/stores] and [github.com/ginauth/ginauth/stores/memstore]: contracts; stores in memory.
//   - [github.com/ginauth/ginauth/stores/gormstore] and [github.com/ginauth/ginauth/stores/redisstore]: SQL databases; Redis and Valkey.
//   - [github.com/ginauth/ginauth/stores/filestore] and [github.com/ginauth/ginauth/stores/cookiestore]: sessions elsewhere.
//   - [github.com/ginauth/ginauth/mail] and [github.com/ginauth/ginauth/mail/smtp]: messages, templates, queue; SMTP.
//   - [github.com/ginauth/ginauth/mail/filemail] and [github.com/ginauth/ginauth/mail/logmail]: mail of developers.
//   - [github.com/ginauth/ginauth/jwt] and [github.com/ginauth/ginauth/token]: keys; tokens as clients see them.
//   - [github.com/ginauth/ginauth/factor]: credentials and second factors.
//   - [github.com/ginauth/ginauth/features/totp] and [github.com/ginauth/ginauth/features/recovery]: second factors.
//   - [github.com/ginauth/ginauth/features/passkey] and [github.com/ginauth/ginauth/features/magiclink]: logins
//     without a password. [github.com/ginauth/ginauth/features/passkey/passkeytest] is a passkey for tests.
//   - [github.com/ginauth/ginauth/features/account]: users change their name and delete their account.
//   - [github.com/ginauth/ginauth/features/social], tested by [github.com/ginauth/ginauth/features/social/socialtest]: other sites.
//   - [github.com/ginauth/ginauth/hashing] and [github.com/ginauth/ginauth/breach]: password hashes; leaked passwords.
//   - [github.com/ginauth/ginauth/events], [github.com/ginauth/ginauth/autherr] and [github.com/ginauth/ginauth/config]: events; errors; parts of Config.
//   - [github.com/ginauth/ginauth/ginauthtest] and [github.com/ginauth/ginauth/stores/storetest]: tests of your own.
//
// The guides are in the directory docs of the repository.
//
// # Concepts
//
// A [Manager] is the application object. A [Session] keeps values between requests. Its changes are stored before the
// first byte of the response. A [Guard] finds out who sent a request: by the session, by a signed access token
// ([JWTGuard]) or by a personal access token ([TokenGuard]). The [Authenticator], which [From] returns, belongs to
// one request: it tells who the user is, and logs in and out. The [Gate] decides who may do what, by abilities and
// policies. A handler finds both on the context, under "auth" and "gate".
//
// # Errors
//
// [Abort] answers every error of this package with the right status: 401 if nobody is logged in, 403 if the user may
// not do this, 422 for invalid input, 429 for too many attempts, 503 if a store or the user provider failed. A
// failure never means "nobody is logged in" or "allowed". Methods that return no error, such as
// [Authenticator.Check], return false then, and the request is answered with 503, whatever its handler writes.
//
// # Contexts
//
// Pass c.Request.Context() where a method takes a context, never the *gin.Context: Gin uses it again.
package ginauth
