package experiments_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
)

func TestThrottleAdmitsExactlyTheLimit(t *testing.T) { // T01, EXP-04
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		other := a.Sibling(func(*ginauth.Config) {}) // another process on the same stores
		for round := range testsize.Rounds(50, 4) {
			a.Clock.Advance(16 * time.Minute)
			hashes := func() uint64 { return a.Hasher().Computations() + other.Hasher().Computations() }
			before := hashes()
			var throttled, refused atomic.Int64
			testapp.Race(205, func(i int) {
				res, err := []*testapp.App{a, other}[i%2].Client().TryPost("/login", testapp.Credentials(testapp.Alice, "wrong"))
				switch {
				case err != nil:
					t.Error(err)
				case res.StatusCode == 429:
					throttled.Add(1)
				case res.StatusCode == 401:
					refused.Add(1)
				default:
					t.Errorf("status %d: %s", res.StatusCode, res.Text)
				}
			})
			if n := hashes() - before; n != 5 || refused.Load() != 5 || throttled.Load() != 200 {
				t.Fatalf("round %d: %d hashes, %d refused, %d throttled", round, n, refused.Load(), throttled.Load())
			}
		}
	})
}

func TestRightPasswordCountsAmongGuesses(t *testing.T) { // EXP-04
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		for range testsize.Rounds(50, 10) {
			a.Clock.Advance(16 * time.Minute)
			right, tries := rand.IntN(10), 0
			for i := range 10 {
				password, want := "wrong", 401
				if i == right {
					password, want = testapp.Password, 200
				}
				if tries++; tries > 5 {
					want = 429
				}
				a.Client().LogIn(testapp.Alice, password).Want(t, want)
				if want == 200 {
					tries = 0
				}
			}
		}
	})
}
