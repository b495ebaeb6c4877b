package hashing_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/hashing"
)

// legacyHashes were made by the programs that are named, not by this package.
var legacyHashes = []struct{ name, password, encoded string }{
	{"Django pbkdf2_sha256", "correct horse", "pbkdf2_sha256$1000$seasalt2$oksQ9Bdi8Bce0okH61Cis7qICJfP+cYfDOnMdNPMzK8="},
	{"Django pbkdf2_sha256 not ASCII", "pässwörd €", "pbkdf2_sha256$260000$AbC123xyz$4ykyBru2v3WWM/lguxLaVzoypV4+z7yTR8sOk8k4P4U="},
	{"Django pbkdf2_sha1", "correct horse", "pbkdf2_sha1$1000$seasalt2$z8uI+Wl4zj9ngVTOBcFxL2SxGng="},
	{"Django bcrypt", "correct horse", "bcrypt$$2b$05$CCCCCCCCCCCCCCCCCCCCC.WrAwgFxicHZ3kL7zMvXYXHKosDn8ot2"},
	{"Django bcrypt_sha256", "correct horse", "bcrypt_sha256$$2b$05$CCCCCCCCCCCCCCCCCCCCC.jkGMyGDwQEPkW62gDnVEt5vQ5TQY40W"},
	{"phpass", "test12345", "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0"},
	{"phpBB", "test12345", "$H$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0"},
	{"WordPress 6.8", "correct horse", "$wp$2y$05$CCCCCCCCCCCCCCCCCCCCC.9bvoAGqBQPYiJ.jrM2YFGcUAm8XPAK."},
	{"WordPress 6.8, white space", " correct horse\n", "$wp$2y$05$CCCCCCCCCCCCCCCCCCCCC.9bvoAGqBQPYiJ.jrM2YFGcUAm8XPAK."},
	{"argon2i", "password", "$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG"},
	{"crypt_blowfish 2x", "U*U", "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
	{"crypt_blowfish 2x, not ASCII", "pässwörd €", "$2x$05$CCCCCCCCCCCCCCCCCCCCC.jA0m9krX3i.ZAtG7rkUvZTW5lO43vLO"},
	{"80 bytes in bcrypt", strings.Repeat("a", 80), "$2y$05$CCCCCCCCCCCCCCCCCCCCC.ODcEJfYFxKziEakDsjep8mcF3zSCvHq"},
}

func newLegacy(t testing.TB) *hashing.Manager {
	t.Helper()
	m, err := hashing.New(hashing.Config{
		Driver: hashing.Argon2id{Memory: 64, Time: 1, Threads: 1}, Also: hashing.Legacy(), InsecureAllowWeakParameters: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLegacyHashesVerify(t *testing.T) {
	m := newLegacy(t)
	for _, c := range legacyHashes {
		t.Run(c.name, func(t *testing.T) {
			if ok, err := m.Verify(t.Context(), c.password, c.encoded); !ok || err != nil {
				t.Errorf("the right password: %v, %v", ok, err)
			}
			for _, wrong := range []string{"wrong", c.password[1:], "x" + c.password, strings.ToUpper(c.password) + "x", c.password + "\x00"} {
				if strings.Contains(c.name, "WordPress") && wrong == c.password+"\x00" || strings.Contains(c.name, "white") {
					continue // WordPress trims it
				}
				if len(c.password) > 72 && strings.HasPrefix(c.password, "aaa") && strings.HasPrefix(wrong, strings.Repeat("a", 72)) && !strings.Contains(wrong, "\x00") {
					continue // the same 72 bytes
				}
				if ok, err := m.Verify(t.Context(), wrong, c.encoded); ok || err != nil {
					t.Errorf("a wrong password: %v, %v", ok, err)
				}
			}
			if !m.NeedsRehash(c.encoded) {
				t.Error("the hash would not be replaced")
			}
		})
	}
}

// TestLegacyHashesAreOffByDefault checks that only who asks for weak hashes verifies them.
func TestLegacyHashesAreOffByDefault(t *testing.T) {
	m, err := hashing.New(hashing.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range legacyHashes {
		if ok, err := m.Verify(t.Context(), c.password, c.encoded); ok || err == nil && !strings.HasPrefix(c.encoded, "$2y$") {
			t.Errorf("%s: %v, %v", c.name, ok, err)
		}
	}
}

func TestHostileLegacyHashes(t *testing.T) {
	m := newLegacy(t)
	for _, encoded := range []string{
		"pbkdf2_sha256$", "pbkdf2_sha256$0$salt$AAAA", "pbkdf2_sha256$4000001$salt$oksQ9Bdi8Bce0okH61Cis7qICJfP+cYfDOnMdNPMzK8=",
		"pbkdf2_sha256$99999999999$salt$oksQ9Bdi8Bce0okH61Cis7qICJfP+cYfDOnMdNPMzK8=", "pbkdf2_sha256$01000$salt$oksQ9Bdi8Bce0okH61Cis7qICJfP+cYfDOnMdNPMzK8=",
		"pbkdf2_sha256$1000$$oksQ9Bdi8Bce0okH61Cis7qICJfP+cYfDOnMdNPMzK8=", "pbkdf2_sha256$1000$salt$z8uI+Wl4zj9ngVTOBcFxL2SxGng=",
		"pbkdf2_sha1$1000$salt$", "pbkdf2_sha256$1000$salt$oksQ9Bdi8Bce0okH61Cis7qICJfP+cYfDOnMdNPMzK8=$", "pbkdf2_md5$1000$salt$AAAA",
		"$P$", "$P$9IQRaTwmf", "$P$UIQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0", "$P$.IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0", "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L!",
		"$P$\x009IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L", "$wp", "$wp$2y$31$CCCCCCCCCCCCCCCCCCCCC.9bvoAGqBQPYiJ.jrM2YFGcUAm8XPAK.", "bcrypt$", "bcrypt_sha256$$2b$05$",
		"bcrypt_sha256$$2b$31$CCCCCCCCCCCCCCCCCCCCC.jkGMyGDwQEPkW62gDnVEt5vQ5TQY40W", "argon2$", "argon2$argon2id$v=19$m=8388608,t=1,p=1$AAAA$AAAA",
		"$argon2i$", "$argon2i$v=19$m=8388608,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG", "$2x$", "$2x$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
	} {
		before := m.Computations()
		ok, err := m.Verify(t.Context(), "password", encoded)
		if ok || !errors.Is(err, hashing.ErrBadHash) || m.Computations() != before {
			t.Errorf("%.40q: %v, %v, %d computations", encoded, ok, err, m.Computations()-before)
		}
	}
}

func TestLegacyDriversMakeNoHashes(t *testing.T) {
	for _, driver := range hashing.Legacy() {
		if encoded, err := driver.Hash("password"); encoded != "" || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Hash = %q, %v", encoded, err)
		}
		if _, err := hashing.New(hashing.Config{Driver: driver}); err == nil {
			t.Error("New accepts it as the driver of new hashes")
		}
	}
}

func FuzzLegacy(f *testing.F) {
	for _, c := range legacyHashes {
		f.Add(c.encoded)
	}
	drivers := hashing.Legacy()
	f.Fuzz(func(t *testing.T, encoded string) {
		for _, driver := range drivers {
			if !driver.Recognizes(encoded) {
				continue
			}
			if _, err := driver.NeedsRehash(encoded); err != nil && !errors.Is(err, hashing.ErrBadHash) {
				t.Errorf("%v", err)
			}
		}
	})
}
