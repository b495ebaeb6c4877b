package ginauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-contrib/sessions"
	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

func TestOnRevokeIsCalledUntilItSucceeds(t *testing.T) {
	type call struct{ feature, realm, user string }
	var calls []call
	broken := errors.New("no answer")
	fails := map[string]error{}
	revoking := func(name string) ginauth.Feature {
		return featureOf(name, func(s *ginauth.Setup) {
			s.OnRevoke(func(ctx context.Context, realm, user string) error {
				if _, limited := ctx.Deadline(); !limited || ctx.Err() != nil {
					t.Errorf("context: limited %v, error %v", limited, ctx.Err())
				}
				calls = append(calls, call{name, realm, user})
				return fails[name]
			})
		})
	}
	a := newFeatureApp(t, revoking("one"), revoking("two"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // a revocation survives a disconnect
	want := []call{{"one", "users", a.Alice.AuthID()}, {"two", "users", a.Alice.AuthID()}}
	if err := a.RevokeUser(ctx, "web", a.Alice.AuthID()); err != nil || !slices.Equal(calls, want) {
		t.Fatalf("error %v, calls %v", err, calls)
	}
	ginauthtest.AssertCount[events.UserRevoked](t, a.Events, 1)
	calls, fails["one"] = nil, ginauth.Unavailable("delete devices", broken)
	err := a.RevokeUser(ctx, "web", a.Alice.AuthID())
	if !errors.Is(err, ginauth.ErrUnavailable) || !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(calls, want) {
		t.Errorf("calls %v: the failure of one feature keeps what another issued", calls)
	}
	ginauthtest.AssertCount[events.UserRevoked](t, a.Events, 1) // it is not complete
	delete(fails, "one")
	if err := a.RevokeUser(ctx, "web", a.Alice.AuthID()); err != nil {
		t.Errorf("repeated: %v", err)
	}
	ginauthtest.AssertCount[events.UserRevoked](t, a.Events, 2)
}

// xUserGuard takes the user's identifier from a header.
type xUserGuard struct{ users models.UserProvider }

func (g xUserGuard) Identify(ctx context.Context, a *ginauth.Authenticator) (ginauth.Identity, error) {
	u, err := g.users.UserByID(ctx, a.Request().Header.Get("X-User"))
	return ginauth.Identity{User: u}, err
}

func addsHeaderGuard(name string) ginauth.Feature {
	return featureOf("header-guard", func(s *ginauth.Setup) {
		s.Guard(name, ginauth.GuardConfig{New: func(g ginauth.GuardSetup) (ginauth.Guard, error) {
			return xUserGuard{g.Users}, nil
		}})
	})
}

func TestSetupAddsGuard(t *testing.T) {
	given := map[string]ginauth.GuardConfig{"web": {}}
	auth := ginauthtest.New(t, func(c *ginauth.Config) {
		c.Features, c.Guards, c.DefaultGuard = []ginauth.Feature{addsHeaderGuard("header")}, given, "header"
	})
	if len(given) != 1 {
		t.Errorf("the caller's Guards changed: %v", slices.Collect(maps.Keys(given)))
	}
	alice := auth.CreateUser(t, "Alice", "alice@example.com")
	r := gin.New()
	r.GET("/", auth.Manager.Auth("header"), noContent)
	r.GET("/default", auth.Manager.Auth(), noContent)
	for _, path := range []string{"/", "/default"} {
		for id, status := range map[string]int{alice.AuthID(): 204, "77": 401, "": 401} {
			w := httptest.NewRecorder()
			req := httptest.NewRequest("GET", path, nil)
			req.Header.Set("X-User", id)
			r.ServeHTTP(w, req)
			if w.Code != status {
				t.Errorf("%s as %q: status %d, want %d; body %s", path, id, w.Code, status, w.Body)
			}
		}
	}
	_, err := ginauth.New(ginauth.Config{Users: auth.Users, Features: []ginauth.Feature{addsHeaderGuard("web")}})
	if !errors.Is(err, ginauth.ErrConfig) || !strings.Contains(err.Error(), `Features["header-guard"]: adds a guard "web"`) {
		t.Errorf("a guard of a name that is taken: %v", err)
	}
	if _, err = ginauth.New(ginauth.Config{DefaultGuard: "none"}); !errors.Is(err, ginauth.ErrConfig) {
		t.Errorf("a default guard that does not exist: %v", err)
	}
}

func TestSealersAreOfOneFeatureAndPurpose(t *testing.T) {
	sealers := func(key ginauth.Key, previous ...ginauth.Key) map[string]stores.Sealer {
		made := make(map[string]stores.Sealer)
		feature := func(name string, purposes ...string) ginauth.Feature {
			return featureOf(name, func(s *ginauth.Setup) {
				for _, purpose := range purposes {
					made[name+"/"+purpose] = s.Sealer(purpose)
				}
			})
		}
		ginauthtest.New(t, func(c *ginauth.Config) {
			c.Key, c.PreviousKeys = key, previous
			c.Features = []ginauth.Feature{feature("one", "code", "device", "-b c"), feature("two", "code"), feature("one-b", "c")}
		})
		return made
	}
	first, second := ginauth.NewKey(), ginauth.NewKey()
	old, rotated, other := sealers(first), sealers(second, first), sealers(second)
	now := time.Now()
	for name, sealer := range old {
		text, err := sealer.Seal(now, time.Hour, []byte("value"), []byte("alice"))
		if err != nil {
			t.Fatal(err)
		}
		for opener, by := range old {
			if value, _, ok := by.Open(now, text, []byte("alice")); ok != (opener == name) || ok && string(value) != "value" {
				t.Errorf("what %s sealed is opened by %s: %v", name, opener, ok)
			}
		}
		if _, key, ok := rotated[name].Open(now, text, []byte("alice")); !ok || key != 1 {
			t.Errorf("%s: after a rotation: opened %v, key %d", name, ok, key)
		}
		if _, _, ok := other[name].Open(now, text, []byte("alice")); ok {
			t.Errorf("%s: opened without the key", name)
		}
		if _, _, ok := sealer.Open(now, text, []byte("bob")); ok {
			t.Errorf("%s: opened in another context", name)
		}
		if _, _, ok := sealer.Open(now.Add(time.Hour), text, []byte("alice")); ok {
			t.Errorf("%s: opened after its time", name)
		}
	}
}

func TestEveryRunsUntilClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log testapp.Logs
		var runs atomic.Int64
		ran := make(chan context.Context)
		manager, err := ginauth.New(ginauth.Config{
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Features: []ginauth.Feature{featureOf("jobs", func(s *ginauth.Setup) {
				s.Every(time.Minute, func(ctx context.Context) error {
					switch runs.Add(1) {
					case 1:
						return errors.New("no answer")
					case 2:
						panic("a secret")
					}
					select {
					case ran <- ctx:
					case <-ctx.Done():
					}
					return nil
				})
			})},
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		ctx := <-ran
		<-ran
		if passed := time.Since(began); passed != 4*time.Minute || ctx.Err() != nil {
			t.Errorf("4 runs took %v; context: %v", passed, ctx.Err())
		}
		if err := manager.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		after := runs.Load()
		<-time.NewTimer(time.Hour).C // in no time: the clock of the test is a synthetic one
		if ctx.Err() == nil || runs.Load() != after {
			t.Errorf("after Close: context %v, %d further runs", ctx.Err(), runs.Load()-after)
		}
		text := log.String()
		if !strings.Contains(text, `job="feature jobs"`) || !strings.Contains(text, "no answer") ||
			!strings.Contains(text, "panic in a background job") || strings.Contains(text, "a secret") {
			t.Errorf("log: %s", text)
		}
	})
}

// A job may use the manager, so it does not run before New has made all of it.
func TestEveryWaitsForNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		_, err := ginauth.New(ginauth.Config{Features: []ginauth.Feature{
			featureOf("jobs", func(s *ginauth.Setup) {
				s.Every(time.Minute, func(context.Context) error { runs.Add(1); return nil })
			}),
			funcFeature{"slow", func(*ginauth.Setup) error {
				<-time.NewTimer(time.Hour).C
				return errors.New("cannot be set up")
			}},
		}})
		if err == nil || runs.Load() != 0 {
			t.Errorf("error %v, %d runs of the job of a manager that was not made", err, runs.Load())
		}
	})
}

func TestFindingsOfFeaturesAreReported(t *testing.T) {
	type key struct{}
	want := []ginauth.Finding{{Subject: "one", Problem: "is on fire"}, {Subject: "two", Problem: "is wet"}}
	a := newFeatureApp(t,
		featureOf("one", func(s *ginauth.Setup) {
			s.Preflight(func(ctx context.Context) []ginauth.Finding {
				if ctx.Value(key{}) == nil {
					t.Error("the check has another context")
				}
				return want[:1]
			})
			s.Preflight(func(context.Context) []ginauth.Finding { return nil })
		}),
		featureOf("two", func(s *ginauth.Setup) {
			s.Preflight(func(context.Context) []ginauth.Finding { return want[1:] })
		}))
	found := a.Preflight(context.WithValue(t.Context(), key{}, true), nil)
	if len(found) < 2 || !slices.Equal(found[len(found)-2:], want) {
		t.Errorf("found %v", found)
	}
}

func TestFaultsOfFeaturesAreReportedAtOnce(t *testing.T) {
	long := strings.Repeat("x", 65)
	features := []ginauth.Feature{
		nil,
		funcFeature{name: "twice"}, funcFeature{name: "twice"},
		funcFeature{"broken", func(*ginauth.Setup) error { return errors.New("table is missing") }},
		featureOf("greedy", func(s *ginauth.Setup) {
			s.Guard("web", ginauth.GuardConfig{})
			s.Guard("no guard", ginauth.GuardConfig{})
			s.Every(0, func(context.Context) error { return nil })
			s.Every(-time.Second, func(context.Context) error { return nil })
		}),
		funcFeature{name: long[:64]},
	}
	bad := []string{"", "with space", "dot.ted", "under_score", "sl/ash", "ümlaut", "new\nline", long}
	for _, name := range bad {
		features = append(features, funcFeature{name, func(*ginauth.Setup) error {
			t.Errorf("feature %q was set up", name)
			return nil
		}})
	}
	config := ginauth.Config{Key: "base64:c2hvcnQ=", StoreTimeout: -1, Features: features}
	_, err := ginauth.New(config)
	if !errors.Is(err, ginauth.ErrConfig) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{
		"StoreTimeout", "Key: ", "Features[0]: is nil", `Features["twice"]: is the name of two features`,
		`Features["broken"]: table is missing`, `Features["greedy"]: adds a guard "web"`, `Guards["no guard"]: is not a name`,
		`Features["greedy"]: Every: 0s`, `Features["greedy"]: Every: -1s`,
	} {
		if strings.Count(err.Error(), want) != 1 {
			t.Errorf("the error does not say %q once:\n%v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "is not a name of 1 to 64 letters, digits and hyphens"); n != len(bad) {
		t.Errorf("%d names are refused, want %d:\n%v", n, len(bad), err)
	}
	if strings.Contains(err.Error(), long) || strings.Contains(err.Error(), "new\nline") {
		t.Errorf("the error quotes a name as it is:\n%v", err)
	}
}

func TestSetupHandsOutTheManagersParts(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	var set stores.Set
	var manager *ginauth.Manager
	auth := ginauthtest.New(t, func(c *ginauth.Config) {
		c.Now = func() time.Time { return now }
		c.Features = []ginauth.Feature{featureOf("parts", func(s *ginauth.Setup) {
			set, manager = s.Stores(), s.Manager()
			if got := s.Clock()(); got != now {
				t.Errorf("the clock shows %v", got)
			}
		})}
	})
	if set.Sessions == nil || set.Tokens == nil || set.Limiter == nil || manager != auth.Manager {
		t.Errorf("stores %v, manager %p, want %p", set, manager, auth.Manager)
	}
}

// TestSessionSlotIsReserved tries every method of sessions on the key of a feature's value.
func TestSessionSlotIsReserved(t *testing.T) {
	const key = "_ginauth.feature.one.due"
	slots := map[string]ginauth.SessionSlot{}
	slotsOf := func(name string, keys ...string) ginauth.Feature {
		return featureOf(name, func(s *ginauth.Setup) {
			for _, key := range keys {
				slots[name+" "+key] = s.SessionSlot(key)
			}
		})
	}
	a := newFeatureApp(t, slotsOf("one", "due", "due.x", strings.Repeat("x", 300)), slotsOf("two", "due"))
	slot := slots["one due"]
	a.handle("/put", func(_ context.Context, auth *ginauth.Authenticator, c *gin.Context) error {
		return slot.Put(auth.Session(), []byte(c.Query("value")))
	})
	a.handle("/forget", func(_ context.Context, auth *ginauth.Authenticator, _ *gin.Context) error {
		return slot.Forget(auth.Session())
	})
	a.handle("/flush", func(_ context.Context, auth *ginauth.Authenticator, _ *gin.Context) error {
		return auth.Session().Flush()
	})
	a.Engine.GET("/slots", func(c *gin.Context) {
		got := make(map[string]string)
		for name, slot := range slots {
			if value := slot.Get(ginauth.From(c).Session()); value != nil {
				got[name] = string(value)
			}
		}
		c.JSON(200, got)
	})
	a.Engine.POST("/application", func(c *gin.Context) {
		s := ginauth.From(c).Session()
		for name, err := range map[string]error{
			"Put": s.Put(key, "forged"), "Forget": s.Forget(key), "Flash": s.Flash(key, "forged"), "Now": s.Now(key, "forged"),
			"Push": s.Push(key, "forged"), "Increment": func() error { _, err := s.Increment(key, 1); return err }(),
		} {
			if !errors.Is(err, ginauth.ErrInvalidInput) {
				t.Errorf("%s: error %v", name, err)
			}
		}
		if _, ok := ginauth.Value[[]byte](s, key); ok || s.Get(key) != nil || s.Has(key) || len(s.All()) != 0 {
			t.Errorf("the application reads %v, all %v", s.Get(key), s.All())
		}
		if err := slots["one "+strings.Repeat("x", 300)].Put(s, nil); !errors.Is(err, ginauth.ErrInvalidInput) {
			t.Errorf("a key that is too long: %v", err)
		}
		noContent(c)
	})
	a.Engine.POST("/contrib", func(c *gin.Context) {
		s := sessions.Default(c)
		if s.Get(key) != nil {
			t.Error("sessions.Default reads the value")
		}
		s.Clear()
		noContent(c)
	})
	b := a.Client()
	want := func(slots string) {
		t.Helper()
		if got := b.Get("/slots").Text; got != slots {
			t.Fatalf("slots %s, want %s", got, slots)
		}
	}
	b.Post("/put?value=noon", nil).Want(t, 204)
	const noon = `{"one due":"noon"}`
	want(noon) // the slots of other keys and features stay empty
	b.Post("/application", nil).Want(t, 204)
	b.Post("/contrib", nil).Want(t, 204)
	b.Post("/flush", nil).Want(t, 204)
	want(noon)
	a.open(b, "Login", "").Want(t, 204) // an anonymous session keeps its values
	want(noon)
	b.Post("/forget", nil).Want(t, 204)
	want(`{}`)
	b.Post("/put?value=late", nil).Want(t, 204)
	want(`{"one due":"late"}`)
}

// TestSessionSlotIsOfOneUser logs another user in to the same session.
func TestSessionSlotIsOfOneUser(t *testing.T) {
	var slot ginauth.SessionSlot
	var fresh string
	a := newFeatureApp(t, featureOf("factor", func(s *ginauth.Setup) {
		slot = s.SessionSlot("passed")
		s.AfterLogin(func(_ context.Context, auth *ginauth.Authenticator, res *ginauth.LoginResult) {
			if fresh == "" {
				return
			}
			if err := slot.Put(auth.Session(), []byte(res.User.AuthID()+fresh)); err != nil {
				t.Error(err)
			}
		})
	}))
	a.handle("/bob", func(ctx context.Context, auth *ginauth.Authenticator, _ *gin.Context) error {
		_, err := auth.Login(ctx, a.Bob)
		return err
	})
	a.handle("/put", func(_ context.Context, auth *ginauth.Authenticator, _ *gin.Context) error {
		return slot.Put(auth.Session(), []byte("alice passed"))
	})
	a.Engine.GET("/slot", func(c *gin.Context) {
		data, _ := json.Marshal(string(slot.Get(ginauth.From(c).Session())))
		c.String(200, "%s", data)
	})
	b := a.Client()
	a.open(b, "Login", "").Want(t, 204)
	b.Post("/put", nil).Want(t, 204)
	b.Post("/bob", nil).Want(t, 204)
	if got := b.Get("/slot").Text; got != `""` {
		t.Errorf("Bob has %s", got)
	}
	fresh = " passed"
	a.open(b, "Login", "").Want(t, 204)
	if got := b.Get("/slot").Text; got != `"1 passed"` {
		t.Errorf("after a login the value is %s", got)
	}
}

// hungStore never answers.
type hungStore struct{ stores.Factors }

func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (hungStore) FactorsOf(ctx context.Context, _ string, _ ...string) ([]stores.Factor, error) {
	return nil, hang(ctx)
}
func (hungStore) CreateFactor(ctx context.Context, _ stores.Factor) error { return hang(ctx) }
func (hungStore) AdvanceFactor(ctx context.Context, _ time.Time, _, _, _ string, _ int64, _ []byte) (bool, error) {
	return false, hang(ctx)
}
func (hungStore) DeleteFactor(ctx context.Context, _, _, _ string) (bool, error) {
	return false, hang(ctx)
}
func (hungStore) ReplaceFactors(ctx context.Context, _, _ string, _ []stores.Factor) error {
	return hang(ctx)
}
func (hungStore) FindIdentity(ctx context.Context, _, _ string) (stores.Identity, bool, error) {
	return stores.Identity{}, false, hang(ctx)
}
func (hungStore) IdentitiesOf(ctx context.Context, _ string) ([]stores.Identity, error) {
	return nil, hang(ctx)
}
func (hungStore) CreateIdentity(ctx context.Context, _ stores.Identity) error { return hang(ctx) }
func (hungStore) UseIdentity(ctx context.Context, _ time.Time, _, _, _ string, _ []byte) (bool, error) {
	return false, hang(ctx)
}
func (hungStore) DeleteIdentity(ctx context.Context, _, _, _ string, _ ...string) (bool, error) {
	return false, hang(ctx)
}

// TestStoresOfFeaturesHaveADeadline calls each method of a store that hangs, as features do: with the
// context of a request, or with one that outlives it.
func TestStoresOfFeaturesHaveADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memstore.New(memstore.Options{})
		defer set.Close()
		set.Factors, set.Identities = hungStore{}, hungStore{}
		var of stores.Set
		m, err := ginauth.New(ginauth.Config{
			Key: ginauth.NewKey(), Stores: set, StoreTimeout: time.Second,
			Features: []ginauth.Feature{featureOf("one", func(s *ginauth.Setup) { of = s.Stores() })},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close(context.Background())
		for name, call := range map[string]func(ctx context.Context) error{
			"FactorsOf":    func(ctx context.Context) error { _, err := of.Factors.FactorsOf(ctx, "u"); return err },
			"CreateFactor": func(ctx context.Context) error { return of.Factors.CreateFactor(ctx, stores.Factor{}) },
			"AdvanceFactor": func(ctx context.Context) error {
				_, err := of.Factors.AdvanceFactor(ctx, time.Now(), "u", "k", "i", 1, nil)
				return err
			},
			"DeleteFactor":   func(ctx context.Context) error { _, err := of.Factors.DeleteFactor(ctx, "u", "k", "i"); return err },
			"ReplaceFactors": func(ctx context.Context) error { return of.Factors.ReplaceFactors(ctx, "u", "k", nil) },
			"FindIdentity":   func(ctx context.Context) error { _, _, err := of.Identities.FindIdentity(ctx, "p", "s"); return err },
			"IdentitiesOf":   func(ctx context.Context) error { _, err := of.Identities.IdentitiesOf(ctx, "u"); return err },
			"CreateIdentity": func(ctx context.Context) error { return of.Identities.CreateIdentity(ctx, stores.Identity{}) },
			"UseIdentity": func(ctx context.Context) error {
				_, err := of.Identities.UseIdentity(ctx, time.Now(), "u", "p", "s", nil)
				return err
			},
			"DeleteIdentity": func(ctx context.Context) error {
				_, err := of.Identities.DeleteIdentity(ctx, "u", "p", "s")
				return err
			},
		} {
			began := time.Now()
			if err := call(context.Background()); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("%s ends after %v with %v", name, time.Since(began), err)
			}
		}
	})
}
