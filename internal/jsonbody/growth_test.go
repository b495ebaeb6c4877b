package jsonbody_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/jsonbody"
	"github.com/ginauth/ginauth/internal/testsize"
)

// TestWorkGrowsLinearly decodes bodies with many of everything that a client can put there.
func TestWorkGrowsLinearly(t *testing.T) {
	for name, body := range map[string]func(n int) string{
		"keys": func(n int) string {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, `,"key %d":1`, i)
			}
			return "{" + b.String()[1:] + "}"
		},
		"elements":        func(n int) string { return "[1" + strings.Repeat(",1", n) + "]" },
		"objects":         func(n int) string { return "[{}" + strings.Repeat(`,{"a":[]}`, n) + "]" },
		"depth":           func(n int) string { return strings.Repeat("[", n) },
		"closed depth":    func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) },
		"escapes":         func(n int) string { return `"` + strings.Repeat(`\u00e9\ud83d\ude00`, n) + `"` },
		"long key":        func(n int) string { return `{"` + strings.Repeat("K", n) + `":1}` },
		"white space":     func(n int) string { return strings.Repeat(" ", n) + "1" + strings.Repeat("\n", n) },
		"syntax at end":   func(n int) string { return "[1" + strings.Repeat(",1", n) },
		"trailing values": func(n int) string { return "1" + strings.Repeat(" 1", n) },
	} {
		t.Run(name, func(t *testing.T) {
			testsize.Linear(t, 2000, func(n int) func() {
				text := body(n)
				return func() {
					var into any
					_ = jsonbody.Decode(strings.NewReader(text), int64(len(text)), &into)
				}
			})
		})
	}
}
