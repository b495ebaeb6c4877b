package ginauthtest_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
)

func ofUser(id string) func(events.Login) bool {
	return func(e events.Login) bool { return e.UserID == id }
}

func TestEvents(t *testing.T) {
	var r ginauthtest.Events
	r.Record(t.Context(), events.Login{Meta: events.Meta{UserID: "1"}})
	r.Record(t.Context(), events.Logout{Meta: events.Meta{UserID: "1"}})
	r.Record(t.Context(), events.Login{Meta: events.Meta{UserID: "2"}, Remembered: true})
	if logins := ginauthtest.Of[events.Login](&r); len(logins) != 2 || logins[0].UserID != "1" || logins[1].UserID != "2" {
		t.Errorf("logins %v", logins)
	}
	if all := ginauthtest.Of[events.Event](&r); len(all) != 3 || len(r.All()) != 3 {
		t.Errorf("all %v", all)
	}
	if e := ginauthtest.AssertDispatched(t, &r, ofUser("2")); !e.Remembered {
		t.Errorf("event %v", e)
	}
	reports(t, "", func(ft testing.TB) {
		ginauthtest.AssertNotDispatched[events.Failed](ft, &r)
		ginauthtest.AssertNotDispatched(ft, &r, ofUser("3"))
		ginauthtest.AssertCount[events.Login](ft, &r, 2)
		ginauthtest.AssertCount[events.Failed](ft, &r, 0)
	})
	reports(t, `event events.Login was dispatched, of user "2"`, func(ft testing.TB) { ginauthtest.AssertNotDispatched(ft, &r, ofUser("2")) })
	reports(t, "2 events events.Login, want 1; dispatched: login, logout, login", func(ft testing.TB) {
		ginauthtest.AssertCount[events.Login](ft, &r, 1)
	})
	r.Clear()
	if len(r.All()) != 0 {
		t.Error("events after Clear")
	}
}

func TestAssertionsWaitForEvents(t *testing.T) {
	var r ginauthtest.Events
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { ginauthtest.AssertDispatched[events.Logout](t, &r) })
		wg.Go(func() { ginauthtest.AssertCount[events.Login](t, &r, 2) })
	}
	r.Record(t.Context(), events.Login{})
	r.Record(t.Context(), events.Logout{})
	r.Record(t.Context(), events.Login{})
	wg.Wait()
}

func TestAssertionsFailForMissingEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r ginauthtest.Events
		r.Record(t.Context(), events.Failed{})
		fails(t, "no event events.Login matches; dispatched: failed", func(ft testing.TB) {
			ginauthtest.AssertDispatched[events.Login](ft, &r)
		})
		reports(t, "1 events events.Failed, want 2", func(ft testing.TB) {
			ginauthtest.AssertCount[events.Failed](ft, &r, 2)
		})
	})
}
