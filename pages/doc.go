// Package pages shows people what package routes does for programs: pages to
// sign in, register, verify an address, choose a new password, and manage an
// account. They are made on the server and need no script.
//
//	auth, err := ginauth.New(ginauth.Config{
//		Pages: pages.Config(""), ErrorHandler: pages.ErrorHandler, // …
//	})
//	r := gin.New()
//	pages.Mount(r, auth, pages.Options{Name: "Blog"}) // before routes.Mount
//	routes.Mount(r, auth, routes.Options{})
//	r.NoRoute(pages.NotFound)
//
// # Pages
//
// Mount adds these pages, each with a form that posts to a route of package
// routes. A page is left out if the manager does not support it.
//
//	GET /login               sign in, with "stay signed in"
//	GET /login/second-factor the code of an authenticator app, or a recovery code
//	GET /register            make an account
//	GET /verify-email        what to do with the mail, and how to get another
//	GET /forgot-password     ask for a link
//	GET /reset-password      choose a new password; mailed links lead here
//	GET /profile             name, address, and links to the following
//	GET /password            change the password
//	GET /email               change the address; asks for the password first
//	GET /tokens/new          make a personal token; asks for the password first
//
// The features totp and recovery add GET /totp and GET /recovery-codes, if they are mounted on the same router.
//
// Browsers also get a page from routes that answer programs with JSON: GET
// /devices, GET /tokens, GET /confirm-password, and the links in mails.
//
// After a form the browser is redirected with 303. What was wrong, and what was
// typed, is flashed for the next page, without passwords and tokens. The exception
// is POST /tokens, which shows the new token once.
//
// # Look
//
// Options.Stylesheets come after the stylesheet of the package, and can set its
// CSS variables. Options.Templates replaces single templates: layout.html is
// around every page, and each page is a file that defines "content". An
// application renders pages of its own in the same layout with Render.
//
// # Security
//
// Pages need no inline script and no inline style. They are sent with
// "Content-Security-Policy: default-src 'self'" and more, see
// Options.ContentSecurityPolicy, and are neither cached nor framed. Forms are
// protected against other sites by StartSession. All text is escaped by
// html/template.
package pages
