// Package routes provides HTTP endpoints for accounts: registration, login and
// logout, passwords, email addresses, devices and tokens.
//
//	routes.Mount(r, auth, routes.Options{})
//
// mounts all endpoints that the manager's configuration supports. For example,
// endpoints that send mail need Config.Mail, and endpoints that issue tokens
// need their guards.
//
// # Routes
//
// The paths are relative to the group. A request body is a JSON object, or an
// HTML form (application/x-www-form-urlencoded), with the fields listed here.
// Fields are strings unless noted. Other fields are ignored, except that POST
// /register also reads the fields of Options.RegisterFields. "User" is the
// result of Options.User. A "pair" is an access token and a refresh token in
// the token response of RFC 6749, 5.1.
//
//	POST   /register            name, email, password              201 {"user": User}, or 202 with Account.HideAccountExistence
//	POST   /login               email, password, remember (bool)   200 {"user": User}
//	POST   /logout                                                 204, also without a login; 401 for a token of ours that is not valid
//	GET    /me                                                     200 {"user": User}
//	PUT    /password            current_password, password         204, or 200 with a pair
//	POST   /confirm-password    password                           204
//	GET    /confirm-password                                       200 {"confirmed": bool, "expires_in": seconds}
//	POST   /forgot-password     email                              202, whether or not there is such a user
//	POST   /reset-password      token, password, email (optional)  204
//	GET    /verify-email/…                                         200 a page with a button, or what to POST
//	POST   /verify-email/…      password (optional)                200 {"verified": true, "password_ended": bool}
//	POST   /verify-email/resend email                              202, whether or not there is such a user
//	PUT    /email               email                              202 for every email address
//	GET    /confirm-email/…                                        200 a page with a button, or what to POST
//	POST   /confirm-email/…                                        200 {"confirmed": true}
//	GET    /devices                                                200 {"devices": [ginauth.Device]}
//	DELETE /devices/:id                                            204
//	DELETE /devices             password                           204, or 200 with a pair
//	POST   /token               email, password, device_token      200 with a pair, and a device_token for the next login
//	POST   /token/refresh       refresh_token                      200 with a pair
//	POST   /token/revoke        token                              204
//	GET    /tokens                                                 200 {"tokens": [ginauth.PersonalToken]}
//	POST   /tokens              name, abilities (list), expires_in (seconds)  201 ginauth.PersonalToken, with its text
//	DELETE /tokens/:id                                             204
//	GET    /.well-known/jwks.json                                  200 with a JWK Set (RFC 7517)
//
// A 202 response has the body {"accepted": true}. It is the same whether or not
// there is such an account. Where a login or a mail is asked for by "email", each
// field by which the provider looks users up is accepted, one at a time. POST
// /register takes in place of the email address, which is optional then, the
// identifiers that users without "email" need. PUT /password and DELETE /devices respond with a
// new pair if the request was authenticated by an access token, because the old
// tokens are no longer valid. In a form, the values "on", "1" and "true" set
// remember, and spaces separate abilities.
//
// # Links in mails
//
// A GET of a link changes nothing, because mail scanners open every link. It
// shows a page whose form posts to the same URL. To serve a page of your own,
// list ShowVerifyEmail or ShowConfirmEmail in Options.Without. POST
// /verify-email ends the password and the logins of the account unless the
// client shows that it set them up; see Authenticator.VerifyEmail.
//
// The mailed reset link leads to Config.Mail.ResetPath, which is a page of the
// application. It carries the email address and its token in the fragment, as in
// /reset-password#email=ann%40example.com&token=gpr_…, so the token reaches no
// server log. The page reads both with a script, asks for the new password, and
// sends the three to POST /reset-password. docs/accounts.md has such a page, and
// one without a script, for Config.Mail.ResetTokenInQuery.
//
// # Errors
//
// ginauth.Abort responds to errors with these statuses:
//
//	400  the body is not JSON or ended early
//	401  the request has no user, the login failed, or a token is not valid
//	403  the action is not allowed, a link is not valid, another site sent the
//	     request, or the password must be confirmed first
//	404  the resource does not exist
//	409  the session or the user was changed by another request
//	413  the body is larger than 64 KiB
//	415  the body is neither JSON nor a form
//	422  a field is not acceptable or occurs twice
//	429  too many requests, with Retry-After
//	503  a store failed or the server is overloaded, with Retry-After
//
// # Protection
//
// Every route starts a session if none was started, which includes the
// protection against cross-site requests. Logins are counted by the manager's
// login throttle. Requests that send mail, requests that create users, wrong
// tokens of links, and failed requests to token endpoints are counted
// separately by IP address. The limit of requests that create users is
// Throttle.Register, that of the others is Throttle.Address. No number of wrong
// tokens of links keeps a right one out.
//
// Changing the email address and creating a personal access token require that
// the user confirmed the password within Account.ConfirmLifetime: at the login
// by session, or by POST /confirm-password, which also accepts an access token
// and then counts for the later tokens of that login. With a personal access
// token, only GET /me is allowed.
//
// # Browsers
//
// Browsers (clients for which ginauth.WantsHTML is true) are redirected with
// 303 to the page that Options.Pages names for the route. After a login they
// are redirected to the page that they requested before, or to
// Config.Pages.Home. OutcomeOf tells that page what became of the form: all
// faults, and what was typed, without secrets. HTML forms support only GET and POST, so a POST does what
// a PUT or DELETE does at these paths: /password, /email, /devices/:id/delete,
// /devices/delete (LogoutDevices) and /tokens/:id/delete.
//
// Browsers gives all of this to a function of the application. Package pages
// uses it to show pages.
package routes
