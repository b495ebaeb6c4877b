package redisstore

import (
	"context"
	_ "embed" // the script
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/ginauth/ginauth/stores"
)

//go:embed lua/session_write.lua
var sessionWrite string

var writeSession = newScript(fmt.Sprintf("local MAX_KEYS, DELETED_FOR = %d, %d\n%s%s",
	stores.MaxKeys, stores.DeletedFor.Milliseconds(), sessionRow, sessionWrite))

// Write implements stores.SessionWriter. It also returns the row in place of writing it if the row
// has to be listed in the indexes of its owners first, which it has to about once a day.
func (s *sessions) Write(ctx context.Context, row string, w stores.Write) (stores.Written, error) {
	const what = "write session"
	if !validName(row) {
		return stores.Written{}, fault(ctx, what, ctx.Err())
	}
	got, err := s.run(ctx, what, writeSession, []string{s.rowKey(row), s.deletedKey(row)}, encodeWrite(w)...)
	if err != nil {
		return stores.Written{}, err
	}
	switch got := got.(type) {
	case int64:
		if got > 0 {
			return stores.Written{Done: true}, nil
		}
		return stores.Written{Deleted: true, Ago: time.Duration(-got) * time.Millisecond}, nil
	case []any:
		if len(got) == 0 {
			return stores.Written{}, nil
		}
		fields := make(map[string]string, len(got)/2)
		for i := range len(got) / 2 {
			fields[textAt(got, 2*i)] = textAt(got, 2*i+1)
		}
		found, err := decodeSession(row, fields)
		return stores.Written{Session: found, Found: err == nil}, err
	}
	return stores.Written{}, fmt.Errorf("redisstore: %s: unexpected answer of type %T", what, got)
}

// encodeWrite returns the arguments of the script that writes a row.
func encodeWrite(w stores.Write) []any {
	since := int64(math.MaxInt64) // no row was renamed then
	if !w.Since.IsZero() {
		since = micro(w.Since)
	}
	head := append(make([]byte, 0, 84), w.Digest[:]...)
	for _, n := range []int64{
		since, micro(w.SeenAfter), micro(w.CreatedAfter), micro(w.LastSeen), micro(w.Expires), keyEnd(w.Expires),
	} {
		head = binary.BigEndian.AppendUint64(head, uint64(n))
	}
	head = binary.BigEndian.AppendUint32(head, uint32(min(max(w.MaxValues, 0), stores.MaxValues)))
	without := w.Without
	if without != "" {
		without = keyMark + without
	}
	args := append(make([]any, 0, 2+2*len(w.Set)), head, without)
	for key, value := range w.Set {
		args = append(args, keyMark+key, value)
	}
	return args
}
