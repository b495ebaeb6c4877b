package hashing_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/ginauth/ginauth/hashing"
)

func Example() {
	ctx := context.Background() // in a server, use the request's context
	passwords, err := hashing.New(hashing.Config{})
	if err != nil {
		log.Fatal(err)
	}
	stored, err := passwords.Hash(ctx, "correct horse battery staple")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stored[:31])
	for _, password := range []string{"correct horse battery staple", "Tr0ub4dor&3"} {
		ok, err := passwords.Verify(ctx, password, stored)
		fmt.Println(ok, err)
	}
	// Output:
	// $argon2id$v=19$m=19456,t=2,p=1$
	// true <nil>
	// false <nil>
}

// An application changes from bcrypt to Argon2id. All users can still log in,
// and each hash is replaced when its user logs in.
func ExampleManager_NeedsRehash() {
	ctx := context.Background()
	passwords, err := hashing.New(hashing.Config{Driver: hashing.Argon2id{}})
	if err != nil {
		log.Fatal(err)
	}
	stored := "$2y$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"
	for range 2 {
		ok, err := passwords.Verify(ctx, "U*U*U", stored)
		if err != nil || !ok {
			log.Fatal("refused")
		}
		fmt.Println(passwords.NeedsRehash(stored))
		if passwords.NeedsRehash(stored) {
			if stored, err = passwords.Hash(ctx, "U*U*U"); err != nil {
				log.Fatal(err)
			}
		}
	}
	// Output:
	// true
	// false
}

// A login computes one hash in all cases: if the user does not exist, has no
// password, or has an unreadable hash.
func ExampleManager_VerifyDummy() {
	passwords, err := hashing.New(hashing.Config{
		Driver:                      hashing.Argon2id{Memory: 64, Time: 1},
		InsecureAllowWeakParameters: true, // keeps this example fast
	})
	if err != nil {
		log.Fatal(err)
	}
	users := map[string]string{"oauth-only@example.com": ""}
	login := func(ctx context.Context, email, password string) (bool, error) {
		stored, known := users[email]
		if !known {
			return false, passwords.VerifyDummy(ctx, password)
		}
		ok, err := passwords.Verify(ctx, password, stored)
		if errors.Is(err, hashing.ErrBadHash) {
			return false, passwords.VerifyDummy(ctx, password)
		}
		return ok, err
	}
	for _, email := range []string{"nobody@example.com", "oauth-only@example.com"} {
		before := passwords.Computations()
		ok, err := login(context.Background(), email, "guess")
		fmt.Println(ok, err, passwords.Computations()-before)
	}
	// Output:
	// false <nil> 1
	// false <nil> 1
}

func ExampleNew() {
	_, err := hashing.New(hashing.Config{
		Driver:      hashing.Argon2id{Memory: 8 * 1024, Time: 1},
		Concurrency: -1,
	})
	fmt.Println(err)
	// Output:
	// ginauth: hashing configuration:
	// Argon2id.Memory (KiB) = 8192: the recommended minimum at Time = 1 is 47104
	// Concurrency = -1: the minimum is 1
}
