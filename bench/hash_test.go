package bench_test

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"runtime"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/ginauth/ginauth/bench"
	"github.com/ginauth/ginauth/hashing"
)

func hashJobs() []job {
	small, large := hashing.Argon2id{}, hashing.Argon2id{Memory: 64 * 1024 /* KiB */, Time: 3}
	serial := []string{bench.Serial}
	sixteen := []string{"goroutines-16"}
	return []job{
		{name: "hash-argon2id", modes: serial, only: true, slow: true, sides: []side{
			{"ginauth", openHash(hashing.Config{Driver: small})},
			{"x-crypto", openArgon2(19*1024, 2)},
		}},
		{name: "hash-bcrypt", modes: serial, only: true, slow: true, sides: []side{
			{"ginauth", openHash(hashing.Config{Driver: hashing.Bcrypt{Cost: 10}})},
			{"x-crypto", openBcrypt(10)},
		}},
		{name: "hash-16", modes: sixteen, only: true, slow: true, sides: []side{
			{"ginauth", openHash(hashing.Config{Driver: small})},
			{"ginauth-two", openHash(hashing.Config{Driver: small, Concurrency: 2})},
			{"x-crypto", openArgon2(19*1024, 2)},
		}},
		{name: "hash-16-large", modes: sixteen, only: true, slow: true, sides: []side{
			{"ginauth", openHash(hashing.Config{Driver: large})},
			{"ginauth-two", openHash(hashing.Config{Driver: large, Concurrency: 2})},
			{"x-crypto", openArgon2(64*1024, 3)},
			{"x-crypto-one", limited(1, openArgon2(64*1024, 3))},
			{"x-crypto-two", limited(2, openArgon2(64*1024, 3))},
		}},
	}
}

const password = "correct horse battery staple"

// verifying verifies the right password. Its check verifies a wrong one.
func verifying(verify func(password string) bool) target {
	return target{
		worker: func() func() bool { return func() bool { return verify(password) } },
		check: func(tb testing.TB) {
			if verify("wrong") {
				tb.Error("the wrong password is accepted")
			}
		},
		report: func(b *testing.B) {
			// The total memory that the process obtained from the system. It
			// never decreases.
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			b.ReportMetric(float64(stats.Sys)/(1<<20), "MiB")
		},
	}
}

func openHash(config hashing.Config) func(testing.TB) target {
	return func(tb testing.TB) target {
		m, err := hashing.New(config)
		if err != nil {
			tb.Fatal(err)
		}
		ctx := context.Background()
		encoded, err := m.Hash(ctx, password)
		if err != nil {
			tb.Fatal(err)
		}
		return verifying(func(password string) bool {
			ok, err := m.Verify(ctx, password, encoded)
			return ok && err == nil
		})
	}
}

func openArgon2(memory, time uint32) func(testing.TB) target {
	return func(testing.TB) target {
		salt := make([]byte, 16)
		_, _ = rand.Read(salt)
		digest := argon2.IDKey([]byte(password), salt, time, memory, 1, 32)
		return verifying(func(password string) bool {
			return subtle.ConstantTimeCompare(argon2.IDKey([]byte(password), salt, time, memory, 1, 32), digest) == 1
		})
	}
}

// limited lets at most n goroutines do the job at the same time.
func limited(n int, open func(testing.TB) target) func(testing.TB) target {
	return func(tb testing.TB) target {
		t, turns := open(tb), make(chan struct{}, n)
		worker := t.worker
		t.worker = func() func() bool {
			do := worker()
			return func() bool {
				turns <- struct{}{}
				defer func() { <-turns }()
				return do()
			}
		}
		return t
	}
}

func openBcrypt(cost int) func(testing.TB) target {
	return func(tb testing.TB) target {
		encoded, err := bcrypt.GenerateFromPassword([]byte(password), cost)
		if err != nil {
			tb.Fatal(err)
		}
		return verifying(func(password string) bool {
			return bcrypt.CompareHashAndPassword(encoded, []byte(password)) == nil
		})
	}
}
