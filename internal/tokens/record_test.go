package tokens_test

import (
	"testing"
	"time"

	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/stores"
)

// TestDataOfEveryVersion reads what this version and former ones stored.
func TestDataOfEveryVersion(t *testing.T) {
	proof, err := factor.NewProof(time.UnixMicro(1_900_000_000_123_456), factor.LevelTwo, "hwk", "user")
	if err != nil {
		t.Fatal(err)
	}
	sum := stores.Digest{1, 2, 3}
	plain := tokens.Data{Bound: true, Fingerprint: sum, Address: "192.0.2.1"}
	proved := plain
	proved.Proof = proof
	first := append(append([]byte{1, 1}, sum[:]...), plain.Address...)
	second := append(append(append([]byte{2, 1}, make([]byte, 12)...), sum[:]...), plain.Address...)
	for name, row := range map[string]struct {
		stored []byte
		want   tokens.Data
	}{
		"version 1": {first, plain}, "version 2": {second, plain}, "without a proof": {plain.Encode(), plain}, "with a proof": {proved.Encode(), proved},
	} {
		if got, err := tokens.ParseData(row.stored); err != nil || got != row.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for end := range len(proved.Encode()) - len(plain.Address) {
		if _, err := tokens.ParseData(proved.Encode()[:end]); err == nil {
			t.Errorf("%d bytes are data", end)
		}
	}
}
