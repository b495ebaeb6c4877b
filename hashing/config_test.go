package hashing_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/hashing"
)

// The recommended minimums of OWASP ASVS 5.0, appendix C. The test calls
// Validate and not New, because New hashes.
func TestRecommendedMinimumIsAccepted(t *testing.T) {
	for _, driver := range []hashing.Driver{
		hashing.Argon2id{},
		hashing.Argon2id{Memory: 46 * 1024, Time: 1},
		hashing.Argon2id{Memory: 19 * 1024, Time: 2, Threads: 4},
		hashing.Argon2id{Memory: 12 * 1024, Time: 3},
		hashing.Argon2id{Memory: 64 * 1024, Time: 3, Threads: 4}, // RFC 9106, second choice
		hashing.Argon2id{Memory: 256 * 1024, Time: 8},
		hashing.Scrypt{},
		hashing.Scrypt{N: 1 << 16, P: 2},
		hashing.Scrypt{N: 1 << 15, P: 3},
		hashing.Scrypt{N: 1 << 15, R: 8, P: 16},
		hashing.Bcrypt{},
		hashing.Bcrypt{Cost: 10},
		hashing.Bcrypt{Cost: 16},
	} {
		if err := driver.Validate(false); err != nil {
			t.Errorf("%+v: %v", driver, err)
		}
	}
}

func TestCostsBelowRecommendedMinimumAreRefused(t *testing.T) {
	for _, tt := range []struct {
		driver hashing.Driver
		want   string
	}{
		{hashing.Argon2id{Time: 1}, "Argon2id.Memory (KiB) = 19456: the recommended minimum at Time = 1 is 47104"},
		{hashing.Argon2id{Memory: 46*1024 - 1, Time: 1}, "Argon2id.Memory (KiB) = 47103: the recommended minimum at Time = 1 is 47104"},
		{hashing.Argon2id{Memory: 19*1024 - 1}, "Argon2id.Memory (KiB) = 19455: the recommended minimum at Time = 2 is 19456"},
		{hashing.Argon2id{Memory: 12*1024 - 1, Time: 3}, "Argon2id.Memory (KiB) = 12287: the recommended minimum at Time = 3 is 12288"},
		{hashing.Argon2id{Memory: 8 * 1024, Time: 64}, "Argon2id.Memory (KiB) = 8192: the recommended minimum at Time = 64 is 12288"},
		{hashing.Scrypt{N: 1 << 14}, "Scrypt.N = 16384: the recommended minimum at P = 1 is 131072"},
		{hashing.Scrypt{N: 1 << 16}, "Scrypt.N = 65536: the recommended minimum at P = 1 is 131072"},
		{hashing.Scrypt{N: 1 << 15, P: 2}, "Scrypt.N = 32768: the recommended minimum at P = 2 is 65536"},
		{hashing.Scrypt{N: 1 << 14, P: 5}, "Scrypt.N = 16384: the recommended minimum at P = 5 is 32768"},
		{hashing.Scrypt{R: 4}, "Scrypt.R = 4: the recommended minimum is 8"},
		{hashing.Bcrypt{Cost: 9}, "Bcrypt.Cost = 9: the recommended minimum is 10"},
	} {
		_, err := hashing.New(hashing.Config{Driver: tt.driver})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.driver, err, tt.want)
		}
		if err := tt.driver.Validate(true); err != nil {
			t.Errorf("%+v: refused although weak costs are allowed: %v", tt.driver, err)
		}
	}
}

// Costs that the algorithm does not support, or above the maximum, are refused
// even if weak costs are allowed.
func TestUnsupportedCostsAreRefused(t *testing.T) {
	for _, tt := range []struct {
		driver hashing.Driver
		want   string
	}{
		{hashing.Argon2id{Memory: 256*1024 + 1}, "Argon2id.Memory (KiB) = 262145: the maximum is 262144"},
		{hashing.Argon2id{Memory: 31, Threads: 4}, "Argon2id.Memory (KiB) = 31: the minimum is 32"},
		{hashing.Argon2id{Time: 65}, "Argon2id.Time = 65: the maximum is 64"},
		{hashing.Argon2id{Threads: 65}, "Argon2id.Threads = 65: the maximum is 64"},
		{hashing.Argon2id{Memory: 256 * 1024, Time: 9}, "Argon2id.Memory (KiB) * Time = 2359296: the maximum is 2097152"},
		{hashing.Scrypt{N: 1000}, "Scrypt.N = 1000: not a power of two"},
		{hashing.Scrypt{N: 1}, "Scrypt.N = 1: not a power of two"},
		{hashing.Scrypt{N: -8}, "Scrypt.N = -8: not a power of two"},
		{hashing.Scrypt{N: 1 << 31}, "Scrypt.N (as a power of 2) = 31: the maximum is 20"},
		{hashing.Scrypt{N: 1 << 19}, "Scrypt 128 * N * R (bytes) = 536870912: the maximum is 268435456"},
		{hashing.Scrypt{P: 9}, "Scrypt 128 * N * R * P (bytes) = 1207959552: the maximum is 1073741824"},
		{hashing.Scrypt{R: -1}, "Scrypt.R = -1: the minimum is 1"},
		{hashing.Scrypt{P: -1}, "Scrypt.P = -1: the minimum is 1"},
		{hashing.Bcrypt{Cost: 3}, "Bcrypt.Cost = 3: the minimum is 4"},
		{hashing.Bcrypt{Cost: 17}, "Bcrypt.Cost = 17: the maximum is 16"},
		{hashing.Bcrypt{Cost: -1}, "Bcrypt.Cost = -1: the minimum is 4"},
	} {
		_, err := hashing.New(hashing.Config{Driver: tt.driver, InsecureAllowWeakParameters: true})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.driver, err, tt.want)
		}
		if _, err := tt.driver.Hash("secret"); err == nil {
			t.Errorf("%+v: Hash of the driver accepts it", tt.driver)
		}
	}
}

func TestNewReportsAllFaults(t *testing.T) {
	_, err := hashing.New(hashing.Config{
		Driver:      hashing.Argon2id{Memory: 1024, Time: 100},
		Also:        []hashing.Driver{nil, hashing.Bcrypt{Cost: 4}},
		Concurrency: -1,
		Queue:       -2,
	})
	if err == nil {
		t.Fatal("New accepts it")
	}
	for _, want := range []string{
		"Argon2id.Memory", "Argon2id.Time", "Also[0] is nil", "Also[1]: Bcrypt.Cost = 4", "Concurrency = -1", "Queue = -2",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

func TestConcurrencyAndQueueHaveMaximum(t *testing.T) {
	_, err := hashing.New(hashing.Config{Concurrency: 65537, Queue: int(^uint(0) >> 1)})
	if err == nil || !strings.Contains(err.Error(), "Concurrency = 65537") || !strings.Contains(err.Error(), "Queue = ") {
		t.Errorf("error %v", err)
	}
}

// New does not modify the caller's configuration, and changing it later has no
// effect.
func TestConfigIsCopied(t *testing.T) {
	also := make([]hashing.Driver, 1, 8)
	also[0] = cheapBcrypt
	config := hashing.Config{Driver: cheapArgon2id, Also: also, InsecureAllowWeakParameters: true}
	m := must(t, config)
	if config.Concurrency != 0 || config.Queue != 0 || also[:2][1] != nil {
		t.Error("New changed its argument")
	}
	also[0] = nil
	if !verify(t, m, "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW") {
		t.Error("the right password does not match")
	}
}

// New refuses a driver that cannot read its own hashes.
func TestNewRefusesInconsistentDriver(t *testing.T) {
	for _, tt := range []struct{ name, writes string }{
		{"not recognized", "$other$"},
		{"too long", "$gate$" + strings.Repeat("x", 1024)},
		{"stale", "$gate$stale"},
		{"bad", "$gate$bad"},
	} {
		driver := newGate()
		driver.writes = tt.writes
		if _, err := hashing.New(hashing.Config{Driver: driver}); err == nil {
			t.Errorf("%s: New accepts it", tt.name)
		} else if strings.Contains(err.Error(), tt.writes) {
			t.Errorf("%s: the error quotes the hash", tt.name)
		}
	}
}

func TestManagerPrintsNoHash(t *testing.T) {
	m := cheap(t, cheapArgon2id)
	encoded, err := json.Marshal(m) //lint:ignore SA9005 the test checks what is shown
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s %q %d %x %s", m, m, m, m, m, m, m, encoded)
	if strings.Contains(printed, "$") || strings.Contains(printed, "0x") {
		t.Errorf("printed: %s", printed)
	}
	if !strings.HasPrefix(printed, "hashing.Manager(hashing.Argon2id) ") {
		t.Errorf("printed: %s", printed)
	}
}
