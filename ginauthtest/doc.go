// Package ginauthtest helps to test applications that use ginauth. It provides
// a manager in memory, users, a clock that tests control, a mailbox, a record
// of events, and requests that are authenticated without a login form.
//
//	func TestProfile(t *testing.T) {
//		auth := ginauthtest.New(t)
//		alice := auth.CreateUser(t, "Alice", "alice@example.com")
//		router := newRouter(auth.Manager) // the application's own
//
//		w := httptest.NewRecorder()
//		router.ServeHTTP(w, auth.ActingAs(t, httptest.NewRequest("GET", "/profile", nil), alice))
//		if w.Code != http.StatusOK {
//			t.Errorf("status %d", w.Code)
//		}
//	}
//
// The package does not replace the authentication by a mock. ActingAs logs the
// user in through the manager and gives the request a real cookie or token, so
// all middlewares behave as in production.
//
// Applications are easiest to test if a function creates the routes for a given
// manager, as newRouter does above. That function should use the methods of the
// manager, such as auth.Auth(), and not the package-level functions, such as
// ginauth.Auth(), which use the manager that was passed to SetDefault.
//
// Use this package only in tests: passwords hashed with CheapHashing are easy
// to guess.
package ginauthtest
