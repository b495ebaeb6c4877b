package accounts

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/internal/useragent"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/token"
)

// SessionKind is the kind of a session among devices.
const SessionKind = "session"

// Device is a login to an account, or something that can log in, with all its parts: a
// remembered browser is one device with its cookie and its sessions.
type Device struct {
	ID, Kind, Name, Address string
	Created, LastSeen       time.Time
	Current                 bool
	// Session says that a session is a part of the device.
	Session bool

	family     string   // of its tokens, or ""
	rows       []string // of its sessions
	owner      string   // of its sessions
	remembered bool     // its sessions end with the series of their remember-me tokens
}

// PublicDevices returns what callers see of devices.
func PublicDevices(found []Device) []token.Device {
	list := make([]token.Device, len(found))
	for i, d := range found {
		list[i] = token.Device{
			ID: d.ID, Kind: d.Kind, Name: d.Name, Address: d.Address, Created: d.Created, LastSeen: d.LastSeen, Current: d.Current,
		}
	}
	return list
}

// Current is what the request that asks for devices comes from.
type Current struct {
	Row      string   // of the session, or ""
	Families []string // of tokens
}

// Devices returns what is logged into the account of a user, the most recently seen
// first.
func (s *Service) Devices(ctx context.Context, u User, current Current) ([]Device, error) {
	devices, sessions := []Device{}, []Device(nil)
	var found []stores.Token
	var errTokens, errSessions error
	deadline.Both(func() {
		found, errTokens = s.Tokens.Of(ctx, u.Realm.Owner(u.AuthID()), stores.Remember, stores.Refresh, stores.Personal, stores.Trusted)
	}, func() { sessions, errSessions = s.sessionDevices(ctx, u, current.Row) })
	if err := errors.Join(errTokens, errSessions); err != nil {
		return nil, err
	}
	for _, t := range found {
		data, err := tokens.ParseData(t.Data)
		if err != nil || !stillBound(t.Kind, data, u.Realm, u.Authenticatable) {
			continue
		}
		devices = append(devices, tokenDevice(t, data, slices.Contains(current.Families, t.Family)))
	}
	for _, d := range sessions {
		devices = join(devices, d)
	}
	devices, err := s.living(ctx, devices)
	slices.SortStableFunc(devices, func(a, b Device) int { return b.LastSeen.Compare(a.LastSeen) })
	return devices, err
}

// join adds a session to the device of its series, or as a device of its own.
func join(devices []Device, session Device) []Device {
	i := slices.IndexFunc(devices, func(d Device) bool { return d.family != "" && d.family == session.family })
	if i < 0 {
		return append(devices, session)
	}
	d := &devices[i]
	if session.LastSeen.After(d.LastSeen) {
		d.Name, d.Address, d.LastSeen = session.Name, session.Address, session.LastSeen
	}
	if session.Created.Before(d.Created) {
		d.Created = session.Created
	}
	d.Current = d.Current || session.Current
	d.Session, d.rows, d.owner = true, append(d.rows, session.rows...), session.owner
	return devices
}

// living leaves out sessions that ended with their series. A device that has the token of the
// series is living.
func (s *Service) living(ctx context.Context, devices []Device) ([]Device, error) {
	var series []string
	for _, d := range devices {
		if d.bySeries() {
			series = append(series, d.family)
		}
	}
	alive, err := s.Tokens.FamiliesLive(ctx, series)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(devices, func(d Device) bool { return d.bySeries() && !alive[d.family] }), nil
}

// bySeries reports whether the device is a session that lives no longer than a series of tokens.
func (d Device) bySeries() bool { return d.Kind == SessionKind && d.remembered }

// stillBound reports whether a token is bound to the user's current stamp, or to none but to
// this user.
func stillBound(kind stores.Kind, data tokens.Data, rm *realm.Realm, u models.Authenticatable) bool {
	if !data.Bound {
		return data.OfSame(rm, u)
	}
	purpose := map[stores.Kind]stamp.Purpose{
		stores.Remember: stamp.Remember, stores.Refresh: stamp.Refresh, stores.Personal: stamp.Personal,
		stores.Trusted: stamp.Trusted,
	}[kind]
	return rm.Fits(purpose, u, data.Fingerprint)
}

func tokenDevice(t stores.Token, data tokens.Data, current bool) Device {
	d := Device{
		ID: string(t.Kind) + "-" + t.Family, Kind: string(t.Kind), Name: t.Name, Address: data.Address,
		Created: t.Created, LastSeen: t.Created, Current: current, family: t.Family,
	}
	if t.Kind != stores.Personal {
		d.Name = useragent.Name(t.Name)
	}
	for _, at := range []time.Time{t.LastUsed, t.Delivered} {
		if at.After(d.LastSeen) {
			d.LastSeen = at
		}
	}
	return d
}

func (s *Service) sessionDevices(ctx context.Context, u User, currentRow string) ([]Device, error) {
	owner := u.Realm.Owner(u.AuthID())
	rows, err := s.Sessions.Of(ctx, owner)
	if err != nil {
		return nil, err
	}
	devices := []Device{}
	for _, row := range rows {
		login, ok := s.loginOf(&row, u)
		if !ok {
			continue
		}
		devices = append(devices, Device{
			ID: SessionKind + "-" + row.Row, Kind: SessionKind, Name: useragent.Name(row.UserAgent), Address: row.Address,
			Created: row.Created, LastSeen: row.LastSeen, Current: row.Row == currentRow,
			Session: true, family: login.Series, rows: []string{row.Row}, owner: owner, remembered: login.Remembered,
		})
	}
	return devices, nil
}

// loginOf returns the login by which a stored session still authenticates the user.
func (s *Service) loginOf(row *stores.Session, u User) (session.Login, bool) {
	if s.Sessions.Expired(row) {
		return session.Login{}, false
	}
	for login := range s.Sessions.LoginsIn(row, u.Realm.Name) {
		if login.UserID == u.AuthID() && u.Realm.Fits(stamp.Session, u.Authenticatable, login.Fingerprint) {
			return login, true
		}
	}
	return session.Login{}, false
}

// EndDevice ends a device with all its parts, except the session with a row.
func (s *Service) EndDevice(ctx context.Context, d Device, exceptRow string) error {
	if d.family != "" { // first what could start another session
		if _, err := s.Tokens.RevokeFamily(ctx, d.family); err != nil {
			return err
		}
	}
	for _, row := range d.rows {
		if row == exceptRow {
			continue
		}
		if err := s.Sessions.End(ctx, row, d.owner); err != nil {
			return autherr.Unavailable("end device", err)
		}
	}
	return nil
}

// StoredName returns the name of the token or row of a device, for events.
func (d Device) StoredName() string {
	_, name, _ := strings.Cut(d.ID, "-")
	return name
}
