package stores_test

import (
	"strings"
	"testing"

	"github.com/ginauth/ginauth/stores"
)

func owners(n int) (list []string) {
	for i := range n {
		list = append(list, strings.Repeat("o", stores.MaxOwner-1)+string(rune('a'+i)))
	}
	return list
}

func TestValidate(t *testing.T) {
	rename := &stores.Rename{}
	for _, row := range []struct {
		name  string
		delta stores.Delta
		want  string // part of the error, "" for none
	}{
		{"nothing", stores.Delta{}, ""},
		{"rename alone", stores.Delta{Rename: rename}, ""},
		{"nobody", stores.Delta{Principals: &stores.Principals{}, Rename: rename}, ""},
		{"as large as allowed", stores.Delta{Principals: &stores.Principals{Data: strings.Repeat("\x00", 4096), Owners: owners(8)}, Rename: rename}, ""},
		{"next generation", stores.Delta{Generation: 1, Principals: &stores.Principals{Generation: 2}, Rename: rename}, ""},
		{"large clear", stores.Delta{Clear: true, Set: map[string][]byte{"k": make([]byte, stores.MaxValues-6)}}, ""},
		{"too large", stores.Delta{Set: map[string][]byte{"k": make([]byte, stores.MaxValues-5)}}, "sets 524289 bytes"},
		{"no rename", stores.Delta{Principals: &stores.Principals{}}, "without Rename"},
		{"generation before", stores.Delta{Generation: 2, Principals: &stores.Principals{Generation: 1}, Rename: rename}, "generation 2"},
		{"large", stores.Delta{Principals: &stores.Principals{Data: strings.Repeat("x", 4097)}, Rename: rename}, "4097 bytes"},
		{"nine owners", stores.Delta{Principals: &stores.Principals{Owners: owners(9)}, Rename: rename}, "9 owners"},
		{"same owner twice", stores.Delta{Principals: &stores.Principals{Owners: []string{"a", "b", "a"}}, Rename: rename}, `"a" is named twice`},
		{"long owner", stores.Delta{Principals: &stores.Principals{Owners: []string{strings.Repeat("o", 256)}}, Rename: rename}, "1 to 255 bytes"},
		{"empty owner", stores.Delta{Principals: &stores.Principals{Owners: []string{""}}, Rename: rename}, "1 to 255 bytes"},
		{"NUL", stores.Delta{Principals: &stores.Principals{Owners: []string{"a\x00b"}}, Rename: rename}, "without NUL"},
		{"no text", stores.Delta{Principals: &stores.Principals{Owners: []string{"\xff"}}, Rename: rename}, "valid text"},
	} {
		checkValid(t, row.name, row.delta.Validate(), row.want)
		if p := row.delta.Principals; p != nil && row.delta.Rename != nil && row.delta.Generation == 0 {
			checkValid(t, row.name, stores.Session{Principals: p.Data, Owners: p.Owners}.Validate(), row.want)
		}
	}
	large := stores.NewValues(map[string][]byte{"k": make([]byte, stores.MaxValues)})
	checkValid(t, "large values", stores.Session{Values: large}.Validate(), "at most 524288")
}

func checkValid(t *testing.T, name string, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error %v, want one with %q", name, err, want)
	}
}

func TestOutcomeNames(t *testing.T) {
	for o, want := range map[stores.Outcome]string{
		stores.Gone: "gone", stores.Stale: "stale", stores.Updated: "updated", stores.Replaced: "replaced", 99: "unknown",
	} {
		if o.String() != want {
			t.Errorf("%d is called %q, want %q", o, o, want)
		}
	}
}
