package tokens

import (
	"encoding/binary"
	"time"

	"github.com/ginauth/ginauth/autherr"
)

// rate counts the rotations of a family in a window that begins with the first of them.
// Each token carries the rate of its family to its successor. A parent has one successor, so
// the count is exact on every store and takes no store call of its own.
type rate struct {
	start time.Time
	count int
}

// rateOf reads the rate from the data of a token.
func rateOf(data []byte) rate {
	if len(data) < dataFixed || data[0] < dataVersion {
		return rate{} // of a token that carries none
	}
	b := data[rateAt:sumAt]
	return rate{time.UnixMicro(int64(binary.BigEndian.Uint64(b))), int(binary.BigEndian.Uint32(b[8:]))}
}

// put writes the rate into data that Encode returned.
func (r rate) put(data []byte) {
	b := data[rateAt:sumAt]
	binary.BigEndian.PutUint64(b, uint64(r.start.UnixMicro()))
	binary.BigEndian.PutUint32(b[8:], uint32(r.count))
}

// next returns the rate after one more rotation. The error is an *autherr.ThrottledError if
// the limit is reached.
func (r rate) next(now time.Time, limit int, per time.Duration) (rate, error) {
	// A window that begins in the future is of a machine whose clock is fast.
	age := max(0, now.Sub(r.start))
	if r.count == 0 || age >= per {
		return rate{now, 1}, nil
	}
	if r.count >= limit {
		return r, &autherr.ThrottledError{RetryAfter: per - age}
	}
	return rate{r.start, r.count + 1}, nil
}
