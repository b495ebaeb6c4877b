package hashing_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/hashing"
)

const (
	salt22   = "AAAAAAAAAAAAAAAAAAAAAA"
	digest43 = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	digest31 = "E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
)

// Stored hashes that an attacker, an accident or another program may have
// written.
var hostile = []struct{ name, encoded string }{
	{"empty", ""},
	{"plain text", "hunter2hunter2"},
	{"plain text with dollars", "$hunter2$hunter2$"},
	{"dollars", strings.Repeat("$", 1000)},
	{"1 MiB", strings.Repeat("a", 1<<20)},
	{"hash of md5", "5f4dcc3b5aa765d61d8327deb882cf99"},
	{"leading space", " $argon2id$v=19$m=64,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2i", "$argon2i$v=19$m=64,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2d", "$argon2d$v=19$m=64,t=1,p=1$" + salt22 + "$" + digest43},

	{"argon2id 1 MiB", "$argon2id$v=19$m=64,t=1,p=1$" + salt22 + "$" + strings.Repeat("A", 1<<20)},
	{"argon2id m=8 GiB", "$argon2id$v=19$m=8388608,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2id m above maximum", "$argon2id$v=19$m=262145,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2id m largest", "$argon2id$v=19$m=4294967295,t=4294967295,p=1$" + salt22 + "$" + digest43},
	{"argon2id m of 33 bits", "$argon2id$v=19$m=4294967360,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2id m of 400 digits", "$argon2id$v=19$m=" + strings.Repeat("9", 400) + ",t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2id m=0", "$argon2id$v=19$m=0,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2id m below 8p", "$argon2id$v=19$m=31,t=1,p=4$" + salt22 + "$" + digest43},
	{"argon2id t=0", "$argon2id$v=19$m=64,t=0,p=1$" + salt22 + "$" + digest43},
	{"argon2id t=1000", "$argon2id$v=19$m=64,t=1000,p=1$" + salt22 + "$" + digest43},
	{"argon2id m times t", "$argon2id$v=19$m=262144,t=64,p=1$" + salt22 + "$" + digest43},
	{"argon2id p=0", "$argon2id$v=19$m=64,t=1,p=0$" + salt22 + "$" + digest43},
	{"argon2id p=255", "$argon2id$v=19$m=65536,t=1,p=255$" + salt22 + "$" + digest43},
	{"argon2id p=257, 1 in 8 bits", "$argon2id$v=19$m=65536,t=1,p=257$" + salt22 + "$" + digest43},
	{"argon2id empty digest", "$argon2id$v=19$m=64,t=1,p=1$" + salt22 + "$"},
	{"argon2id no digest", "$argon2id$v=19$m=64,t=1,p=1$" + salt22},
	{"argon2id short digest", "$argon2id$v=19$m=64,t=1,p=1$" + salt22 + "$AAAAAAAAAAAAAAAAAAAA"},
	{"argon2id huge digest", "$argon2id$v=19$m=64,t=1,p=1$" + salt22 + "$" + strings.Repeat("A", 400)},
	{"argon2id empty salt", "$argon2id$v=19$m=64,t=1,p=1$$" + digest43},
	{"argon2id short salt", "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAA$" + digest43},
	{"argon2id huge salt", "$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("A", 400) + "$" + digest43},
	{"argon2id no costs", "$argon2id$v=19$$" + salt22 + "$" + digest43},
	{"argon2id costs only", "$argon2id$v=19$m=64,t=1,p=1"},
	{"argon2id prefix only", "$argon2id$"},
	{"argon2id no version", "$argon2id$m=64,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2id v=16", "$argon2id$v=16$m=64,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2id other order", "$argon2id$v=19$t=1,m=64,p=1$" + salt22 + "$" + digest43},
	{"argon2id cost twice", "$argon2id$v=19$m=64,t=1,t=1$" + salt22 + "$" + digest43},
	{"argon2id fourth cost", "$argon2id$v=19$m=64,t=1,p=1,keyid=A$" + salt22 + "$" + digest43},
	{"argon2id m=064", "$argon2id$v=19$m=064,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2id t=+1", "$argon2id$v=19$m=64,t=+1,p=1$" + salt22 + "$" + digest43},
	{"argon2id t=-1", "$argon2id$v=19$m=64,t=-1,p=1$" + salt22 + "$" + digest43},
	{"argon2id m=0x40", "$argon2id$v=19$m=0x40,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2id m=6_4", "$argon2id$v=19$m=6_4,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2id space", "$argon2id$v=19$m= 64,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2id empty m", "$argon2id$v=19$m=,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2id other digits", "$argon2id$v=19$m=\u0666\u0664,t=1,p=1$" + salt22 + "$" + digest43},
	{"argon2id trailing field", "$argon2id$v=19$m=64,t=1,p=1$" + salt22 + "$" + digest43 + "$"},
	{"argon2id trailing newline", "$argon2id$v=19$m=64,t=1,p=1$" + salt22 + "$" + digest43 + "\n"},
	{"argon2id trailing NUL", "$argon2id$v=19$m=64,t=1,p=1$" + salt22 + "$" + digest43 + "\x00"},
	{"argon2id newline in digest", "$argon2id$v=19$m=64,t=1,p=1$" + salt22 + "$nf65\r\n" + digest43[4:]},
	{"argon2id newline in salt", "$argon2id$v=19$m=64,t=1,p=1$\n" + salt22 + "$" + digest43},
	{"argon2id stray bits", "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAB$" + digest43},
	{"argon2id padding", "$argon2id$v=19$m=64,t=1,p=1$" + salt22 + "==$" + digest43 + "="},
	{"argon2id URL alphabet", "$argon2id$v=19$m=64,t=1,p=1$" + salt22 + "$" + strings.ReplaceAll(digest43, "/", "_")},
	{"argon2id not base64", "$argon2id$v=19$m=64,t=1,p=1$" + salt22 + "$!!!!" + digest43[4:]},

	{"scrypt ln=31", "$scrypt$ln=31,r=8,p=1$" + salt22 + "$" + digest43},
	{"scrypt ln=64", "$scrypt$ln=64,r=8,p=1$" + salt22 + "$" + digest43},
	{"scrypt ln above maximum", "$scrypt$ln=21,r=1,p=1$" + salt22 + "$" + digest43},
	{"scrypt ln=0", "$scrypt$ln=0,r=8,p=1$" + salt22 + "$" + digest43},
	{"scrypt ln not whole", "$scrypt$ln=9.97,r=8,p=1$" + salt22 + "$" + digest43},
	{"scrypt N=1000", "$scrypt$N=1000,r=8,p=1$" + salt22 + "$" + digest43},
	{"scrypt memory above maximum", "$scrypt$ln=19,r=8,p=1$" + salt22 + "$" + digest43},
	{"scrypt work above maximum", "$scrypt$ln=17,r=8,p=9$" + salt22 + "$" + digest43},
	{"scrypt r=0", "$scrypt$ln=4,r=0,p=1$" + salt22 + "$" + digest43},
	{"scrypt r absurd", "$scrypt$ln=4,r=1073741823,p=1$" + salt22 + "$" + digest43},
	{"scrypt p=0", "$scrypt$ln=4,r=8,p=0$" + salt22 + "$" + digest43},
	{"scrypt p absurd", "$scrypt$ln=4,r=8,p=4294967295$" + salt22 + "$" + digest43},
	{"scrypt empty digest", "$scrypt$ln=4,r=8,p=1$" + salt22 + "$"},
	{"scrypt empty salt", "$scrypt$ln=4,r=8,p=1$$" + digest43},
	{"scrypt ln=04", "$scrypt$ln=04,r=8,p=1$" + salt22 + "$" + digest43},
	{"scrypt newline", "$scrypt$ln=4,r=8,p=1$" + salt22 + "$" + digest43 + "\n"},

	{"bcrypt 2x", "$2x$05$CCCCCCCCCCCCCCCCCCCCC." + digest31},
	{"bcrypt 2z", "$2z$05$CCCCCCCCCCCCCCCCCCCCC." + digest31},
	{"bcrypt 2", "$2$05$CCCCCCCCCCCCCCCCCCCCC." + digest31},
	{"bcrypt cost 17", "$2a$17$CCCCCCCCCCCCCCCCCCCCC." + digest31},
	{"bcrypt cost 20", "$2a$20$CCCCCCCCCCCCCCCCCCCCC." + digest31},
	{"bcrypt cost 31", "$2a$31$CCCCCCCCCCCCCCCCCCCCC." + digest31},
	{"bcrypt cost 99", "$2a$99$CCCCCCCCCCCCCCCCCCCCC." + digest31},
	{"bcrypt cost 3", "$2a$03$CCCCCCCCCCCCCCCCCCCCC." + digest31},
	{"bcrypt cost of one digit", "$2a$5$CCCCCCCCCCCCCCCCCCCCC." + digest31},
	{"bcrypt cost +5", "$2a$+5$CCCCCCCCCCCCCCCCCCCCC." + digest31},
	{"bcrypt cost 0x", "$2a$0x$CCCCCCCCCCCCCCCCCCCCC." + digest31},
	{"bcrypt trailing garbage", "$2a$05$CCCCCCCCCCCCCCCCCCCCC." + digest31 + "x"},
	{"bcrypt trailing newline", "$2a$05$CCCCCCCCCCCCCCCCCCCCC." + digest31 + "\n"},
	{"bcrypt cut", "$2a$05$CCCCCCCCCCCCCCCCCCCCC." + digest31[1:]},
	{"bcrypt no dollar", "$2a$05xCCCCCCCCCCCCCCCCCCCCC." + digest31},
	{"bcrypt newline in salt", "$2a$05$CCCCCCCCCC\nCCCCCCCCCC." + digest31},
	{"bcrypt newlines in digest", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.\r\n\r\n" + digest31[4:]},
	{"bcrypt not base64", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.+" + digest31[1:]},
	{"bcrypt stray bits in salt", "$2a$05$CCCCCCCCCCCCCCCCCCCCCC" + digest31},
	{"bcrypt prefix only", "$2a$"},
}

func TestManagerRefusesHostileHashes(t *testing.T) {
	m := cheap(t, cheapArgon2id)
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			var (
				before, after runtime.MemStats
				ok, stale     bool
				err           error
				fastest       = time.Hour
			)
			runtime.ReadMemStats(&before)
			for range 3 { // a busy machine may delay one run
				start := time.Now()
				ok, err = m.Verify(t.Context(), "hunter2hunter2", tt.encoded)
				stale = m.NeedsRehash(tt.encoded)
				fastest = min(fastest, time.Since(start))
			}
			runtime.ReadMemStats(&after)

			if ok || !stale || !errors.Is(err, hashing.ErrBadHash) {
				t.Errorf("Verify = %v, %v; NeedsRehash = %v", ok, err, stale)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "AAAA") || len(err.Error()) > 300) {
				t.Errorf("the error quotes the stored hash: %v", err)
			}
			if fastest > 10*time.Millisecond {
				t.Errorf("took %v", fastest)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Errorf("%d bytes allocated", n)
			}
		})
	}
	if n := m.Computations(); n != 0 {
		t.Errorf("%d hashes computed", n)
	}
}

// The drivers refuse hostile hashes also without a manager.
func TestDriversRefuseHostileHashes(t *testing.T) {
	for _, driver := range []hashing.Driver{hashing.Argon2id{}, hashing.Scrypt{}, hashing.Bcrypt{}} {
		for _, tt := range hostile {
			if ok, err := driver.Verify("hunter2hunter2", tt.encoded); ok || !errors.Is(err, hashing.ErrBadHash) {
				t.Errorf("%T: %s: Verify = %v, %v", driver, tt.name, ok, err)
			}
			if _, err := driver.NeedsRehash(tt.encoded); !errors.Is(err, hashing.ErrBadHash) {
				t.Errorf("%T: %s: NeedsRehash: %v", driver, tt.name, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range hostile {
		if len(tt.encoded) < 1024 {
			f.Add(tt.encoded)
		}
	}
	f.Add("$argon2id$v=19$m=64,t=1,p=1$" + salt22 + "$" + digest43)
	f.Add("$argon2id$v=19$m=262144,t=8,p=64$c29tZXNhbHQ$" + digest43)
	f.Add("$scrypt$ln=4,r=1,p=1$" + salt22 + "$" + digest43)
	f.Add("$2y$04$CCCCCCCCCCCCCCCCCCCCC." + digest31)
	m := cheap(f, cheapArgon2id)
	f.Fuzz(func(t *testing.T, encoded string) {
		bcrypt := hashing.Bcrypt{}.Recognizes(encoded)
		again, work, err := hashing.Recode(encoded)
		switch {
		case err == nil && again != encoded:
			t.Fatalf("%q and %q are the same hash", encoded, again)
		case err != nil && !bcrypt && !m.NeedsRehash(encoded):
			t.Fatalf("%q is unreadable, but NeedsRehash is false", encoded)
		}
		// Verify only hashes that are cheap or refused.
		dear := err == nil && work > 1<<20 || bcrypt && !strings.HasPrefix(encoded[4:], "04")
		if dear {
			return
		}
		ok, verifyErr := m.Verify(t.Context(), "a password nobody has", encoded)
		if ok {
			t.Fatalf("%q matches", encoded)
		}
		if verifyErr != nil && !errors.Is(verifyErr, hashing.ErrBadHash) {
			t.Fatalf("%q: %v", encoded, verifyErr)
		}
		if !bcrypt && (err == nil) != (verifyErr == nil) {
			t.Fatalf("%q: decoding says %v, verifying %v", encoded, err, verifyErr)
		}
	})
}
