package hashing_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/hashing"
)

// Low costs, for tests that do not test the costs.
var (
	cheapArgon2id = hashing.Argon2id{Memory: 64, Time: 1}
	cheapBcrypt   = hashing.Bcrypt{Cost: 4}
	cheapScrypt   = hashing.Scrypt{N: 16, R: 1}
)

// cheap returns a manager that hashes with the driver, also if its costs are
// weak.
func cheap(t testing.TB, driver hashing.Driver) *hashing.Manager {
	t.Helper()
	return must(t, hashing.Config{Driver: driver, InsecureAllowWeakParameters: true})
}

func must(t testing.TB, config hashing.Config) *hashing.Manager {
	t.Helper()
	m, err := hashing.New(config)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return m
}

func hash(t testing.TB, m *hashing.Manager, password string) string {
	t.Helper()
	encoded, err := m.Hash(t.Context(), password)
	if err != nil {
		t.Fatalf("Hash: %v", err)
	}
	return encoded
}

func verify(t testing.TB, m *hashing.Manager, password, encoded string) bool {
	t.Helper()
	ok, err := m.Verify(t.Context(), password, encoded)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	return ok
}

// Vectors from the reference implementation of Argon2 (test.c), RFC 7914
// (section 12), and crypt_blowfish (wrapper.c).
func TestPublishedTestVectors(t *testing.T) {
	m := cheap(t, cheapArgon2id)
	for _, tt := range []struct{ name, password, encoded string }{
		{"argon2id", "password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
		{"argon2id two lanes", "password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
		{"scrypt", "pleaseletmein", "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw"},
		{"bcrypt 2a", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
		{"bcrypt 2b", "U*U*", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"},
		{"bcrypt 2y", "U*U*U", "$2y$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !verify(t, m, tt.password, tt.encoded) {
				t.Error("the right password does not match")
			}
			if verify(t, m, tt.password+"x", tt.encoded) {
				t.Error("a wrong password matches")
			}
		})
	}
}

func TestRoundTrip(t *testing.T) {
	for _, tt := range []struct {
		name   string
		driver hashing.Driver
		prefix string
	}{
		{"argon2id", cheapArgon2id, "$argon2id$v=19$m=64,t=1,p=1$"},
		{"bcrypt", cheapBcrypt, "$2a$04$"},
		{"scrypt", cheapScrypt, "$scrypt$ln=4,r=1,p=1$"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := cheap(t, tt.driver)
			first, second := hash(t, m, "correct horse"), hash(t, m, "correct horse")
			if !strings.HasPrefix(first, tt.prefix) {
				t.Errorf("hash does not begin with %s", tt.prefix)
			}
			if first == second {
				t.Error("two hashes of one password are equal")
			}
			for _, encoded := range []string{first, second} {
				if !verify(t, m, "correct horse", encoded) {
					t.Error("the right password does not match")
				}
				if verify(t, m, " correct horse", encoded) || verify(t, m, "Correct horse", encoded) {
					t.Error("a wrong password matches")
				}
				if m.NeedsRehash(encoded) {
					t.Error("a new hash needs a rehash")
				}
			}
		})
	}
}

// A manager of each driver verifies the hashes of every other driver, and
// reports that they need a rehash.
func TestManagerVerifiesHashesOfOtherDrivers(t *testing.T) {
	drivers := []hashing.Driver{cheapArgon2id, cheapBcrypt, cheapScrypt}
	for _, old := range drivers {
		encoded := hash(t, cheap(t, old), "secret")
		for _, current := range drivers {
			m := cheap(t, current)
			if !verify(t, m, "secret", encoded) || verify(t, m, "Secret", encoded) {
				t.Errorf("%T cannot verify a hash of %T", current, old)
			}
			if got, want := m.NeedsRehash(encoded), old != current; got != want {
				t.Errorf("%T: NeedsRehash of a hash of %T = %v", current, old, got)
			}
		}
	}
}

func TestNeedsRehash(t *testing.T) {
	const digest = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	argon2id, scrypt := cheap(t, cheapArgon2id), cheap(t, cheapScrypt)
	for _, tt := range []struct {
		name    string
		m       *hashing.Manager
		encoded string
		want    bool
	}{
		{"same", argon2id, "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + digest, false},
		{"other memory", argon2id, "$argon2id$v=19$m=65,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + digest, true},
		{"other time", argon2id, "$argon2id$v=19$m=64,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + digest, true},
		{"other threads", argon2id, "$argon2id$v=19$m=64,t=1,p=2$AAAAAAAAAAAAAAAAAAAAAA$" + digest, true},
		{"shorter salt", argon2id, "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$" + digest, true},
		{"shorter digest", argon2id, "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", true},
		{"hostile", argon2id, "$argon2id$v=19$m=64,t=1,p=0$AAAAAAAAAAAAAAAAAAAAAA$" + digest, true},
		{"plain text", argon2id, "secret", true},
		{"empty", argon2id, "", true},
		{"scrypt same", scrypt, "$scrypt$ln=4,r=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + digest, false},
		{"scrypt other N", scrypt, "$scrypt$ln=5,r=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + digest, true},
		{"bcrypt same", cheap(t, cheapBcrypt), "$2y$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", false},
		{"bcrypt other cost", cheap(t, cheapBcrypt), "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", true},
	} {
		if got := tt.m.NeedsRehash(tt.encoded); got != tt.want {
			t.Errorf("%s: NeedsRehash = %v", tt.name, got)
		}
		if n := tt.m.Computations(); n != 0 {
			t.Errorf("%s: NeedsRehash computed %d hashes", tt.name, n)
		}
	}
}

func TestUnacceptablePasswords(t *testing.T) {
	m := cheap(t, cheapArgon2id)
	stored := hash(t, m, "secret")
	for _, tt := range []struct {
		name, password string
		want           error
	}{
		{"empty", "", hashing.ErrPasswordEmpty},
		{"one byte too long", strings.Repeat("a", hashing.MaxPassword+1), hashing.ErrPasswordTooLong},
		{"huge", strings.Repeat("a", 16<<20), hashing.ErrPasswordTooLong},
		{"stray byte ff", "x\xff", hashing.ErrPasswordNotUTF8},
		{"stray byte fe", "x\xfe", hashing.ErrPasswordNotUTF8},
		{"surrogate d800", "x\xed\xa0\x80", hashing.ErrPasswordNotUTF8},
		{"surrogate d801", "x\xed\xa0\x81", hashing.ErrPasswordNotUTF8},
		{"overlong NUL", "x\xc0\x80", hashing.ErrPasswordNotUTF8},
	} {
		before := m.Computations()
		_, hashErr := m.Hash(t.Context(), tt.password)
		ok, verifyErr := m.Verify(t.Context(), tt.password, stored)
		dummyErr := m.VerifyDummy(t.Context(), tt.password)
		for _, err := range []error{hashErr, verifyErr, dummyErr} {
			if !errors.Is(err, tt.want) || !errors.Is(err, hashing.ErrPassword) {
				t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
			}
		}
		if ok {
			t.Errorf("%s: matches", tt.name)
		}
		if n := m.Computations() - before; n != 0 {
			t.Errorf("%s: %d hashes computed", tt.name, n)
		}
	}
}

// Passwords that an algorithm, or a normalization, could confuse.
func TestDistinctPasswords(t *testing.T) {
	a72 := strings.Repeat("a", 72)
	for _, driver := range []hashing.Driver{cheapArgon2id, cheapScrypt, cheapBcrypt} {
		m := cheap(t, driver)
		for _, tt := range []struct{ name, stored, given string }{
			{"73 bytes against 72", a72, a72 + "X"},
			{"4096 bytes against 72", a72, strings.Repeat("a", hashing.MaxPassword)},
			{"NUL and repetition", "ab", "ab\x00ab"},
			{"trailing NUL", "ab", "ab\x00"},
			{"NFC against NFD", "caf\u00e9", "cafe\u0301"},
			{"leading space", "secret", " secret"},
			{"trailing space", "secret", "secret "},
			{"case", "secret", "Secret"},
		} {
			encoded, before := hash(t, m, tt.stored), m.Computations()
			if verify(t, m, tt.given, encoded) {
				t.Errorf("%T: %s: match", driver, tt.name)
			}
			if n := m.Computations() - before; n != 1 {
				t.Errorf("%T: %s: %d hashes computed, want 1", driver, tt.name, n)
			}
		}
	}
}

// Argon2id and scrypt read passwords completely.
func TestLongPasswordsAndNUL(t *testing.T) {
	for _, driver := range []hashing.Driver{cheapArgon2id, cheapScrypt} {
		m := cheap(t, driver)
		for _, tt := range []struct{ name, password, other string }{
			{"73 bytes", strings.Repeat("a", 72) + "X", strings.Repeat("a", 72) + "Y"},
			{"longest", strings.Repeat("a", hashing.MaxPassword), strings.Repeat("a", hashing.MaxPassword-1)},
			{"NUL", "ab\x00c", "ab\x00d"},
			{"64 characters of 4 bytes", strings.Repeat("\U0001F511", 64), strings.Repeat("\U0001F511", 63)},
		} {
			encoded := hash(t, m, tt.password)
			if !verify(t, m, tt.password, encoded) || verify(t, m, tt.other, encoded) {
				t.Errorf("%T: %s: another password matches", driver, tt.name)
			}
		}
	}
}

func TestDriverRefusesPasswordItCannotHash(t *testing.T) {
	for _, tt := range []struct {
		name          string
		driver        hashing.Driver
		password, why string
		want          error
	}{
		{"73 bytes", cheapBcrypt, strings.Repeat("a", 73), "72 bytes", hashing.ErrPasswordTooLong},
		{"25 characters of 3 bytes", cheapBcrypt, strings.Repeat("\u20ac", 25), "72 bytes", hashing.ErrPasswordTooLong},
		{"NUL", cheapBcrypt, "ab\x00c", "NUL", hashing.ErrPassword},
		{"NUL at the end", cheapScrypt, "ab\x00", "NUL", hashing.ErrPassword},
	} {
		m := cheap(t, tt.driver)
		_, err := m.Hash(t.Context(), tt.password)
		if !errors.Is(err, tt.want) || !errors.Is(err, hashing.ErrPassword) || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%T: %s: error %v", tt.driver, tt.name, err)
		}
		if n := m.Computations(); n != 0 {
			t.Errorf("%T: %s: %d hashes computed", tt.driver, tt.name, n)
		}
		if _, err := tt.driver.Hash(tt.password); !errors.Is(err, tt.want) {
			t.Errorf("%T: %s: Hash of the driver: error %v", tt.driver, tt.name, err)
		}
	}
}
