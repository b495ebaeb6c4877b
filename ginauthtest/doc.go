// Package ginauthtest helps to test applications that use ginauth: a manager in
// memory, users, a clock that moves when it is told to, a mailbox, a record of
// events, and requests that are from a user without a login.
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
// Nothing is replaced by a stand-in that decides otherwise: ActingAs logs the
// user in through the manager and gives the request the cookie or the token that
// a client would have, so that every middleware behaves as in production.
//
// An application is easiest to test if its routes are made by a function of the
// manager, as newRouter above, and use the manager's methods: auth.Auth(), and
// not ginauth.Auth(), which belongs to the one manager given to SetDefault.
//
// It is for tests alone: CheapHashing makes passwords easy to guess.
package ginauthtest
