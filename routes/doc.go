// Package routes has ready-made endpoints for accounts: registration, login and
// logout, passwords, email addresses, devices and tokens.
//
//	routes.Mount(r, auth, routes.Options{})
//
// mounts all that the manager's configuration can serve: those by mail only
// with Config.Mail, those that issue tokens only with their guards, and so on.
//
// # Routes
//
// The paths are below the group's. A body is a JSON object with the fields named
// here, all of them texts unless noted, or a form (application/x-www-form-urlencoded)
// with the same fields. Fields with other names are ignored, at POST /register but
// for those that Options.RegisterFields names. "User" is what
// Options.User makes of a user; a "pair" is the answer of RFC 6749, 5.1.
//
//	POST   /register            name, email, password              201 {"user": User}, or 202 with Account.HideAccountExistence
//	POST   /login               email, password, remember (bool)   200 {"user": User}
//	POST   /logout                                                 204, also for nobody; 401 for a token that is not valid
//	GET    /me                                                     200 {"user": User}
//	PUT    /password            current_password, password         204, or 200 with a pair
//	POST   /confirm-password    password                           204
//	GET    /confirm-password                                       200 {"confirmed": bool, "expires_in": seconds}
//	POST   /forgot-password     email                              202, whoever has the address
//	POST   /reset-password      email, token, password             204
//	GET    /verify-email/…                                         200 {"verified": true}
//	POST   /verify-email/resend email                              202, whoever has the address
//	PUT    /email               email                              202, whoever has the address
//	GET    /confirm-email/…                                        200 {"confirmed": true}
//	GET    /devices                                                200 {"devices": [ginauth.Device]}
//	DELETE /devices/:id                                            204
//	DELETE /devices             password                           204, or 200 with a pair
//	POST   /token               email, password                    200 with a pair
//	POST   /token/refresh       refresh_token                      200 with a pair
//	POST   /token/revoke        token                              204
//	GET    /tokens                                                 200 {"tokens": [ginauth.PersonalToken]}
//	POST   /tokens              name, abilities (list), expires_in (seconds)  201 ginauth.PersonalToken, with its text
//	DELETE /tokens/:id                                             204
//	GET    /.well-known/jwks.json                                  200 with a JWK Set (RFC 7517)
//
// A 202 has the body {"accepted": true}. Routes answer with a pair to whoever
// came with an access token: the one before has ended. In a form, remember is on
// for "on", "1" and "true", and abilities are separated by spaces.
//
// # Errors
//
// Errors are answered by ginauth.Abort: 400 for a body that is not JSON or breaks
// off, 401 for nobody, a wrong password at a login, and a token that is not valid,
// 403 for what is not allowed, for a link that is not valid, for a request from
// another site and where the password is to be given again, 404, 409 for a request
// that lost to another change of the session or the user, 413 for a body over 64
// KiB, 415 for one that is neither JSON nor such a form, 422 for a field that is not
// acceptable, also one that comes twice, 429 with Retry-After, and 503 with
// Retry-After.
//
// # Protection
//
// Every route starts a session, if none was started before, and so has its
// protection against requests from other sites. Logins share the throttle of the
// manager. Requests that make mails, users or failures are counted by address:
// as many of each kind as Throttle.Address says.
//
// Changing the address, and making a personal access token, need a session whose
// user gave the password within Account.ConfirmLifetime, and no login by tokens. A
// personal access token reaches GET /me and nothing else here.
//
// # Browsers
//
// Whoever asks for HTML (ginauth.WantsHTML) is redirected, with 303, where
// Options.Pages names a page for the route, and after a login to where it was
// going or to Config.Pages.Home. HTML forms can only GET and POST: the routes
// with PUT and DELETE are for scripts. There is no override of the method.
package routes
