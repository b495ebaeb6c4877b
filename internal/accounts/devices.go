package accounts

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/internal/useragent"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// SessionKind is the kind of a session among devices.
const SessionKind = "session"

// Device is something that is logged into an account, or can be.
type Device struct {
	ID, Kind, Name, Address string
	Created, LastSeen       time.Time
	Current                 bool
	Series                  string // of the remember-me tokens of a session, or ""
	owner                   string // of a session
}

// Current is what the request that asks for devices comes from.
type Current struct {
	Row      string   // of the session, or ""
	Families []string // of tokens
}

// Devices returns what is logged into the account of a user, the most recently seen
// first.
func (s *Service) Devices(ctx context.Context, u User, current Current) ([]Device, error) {
	devices, err := s.sessionDevices(ctx, u, current.Row)
	if err != nil {
		return nil, err
	}
	found, err := s.Tokens.Of(ctx, u.Realm.Owner(u.AuthID()), stores.Remember, stores.Refresh, stores.Personal)
	if err != nil {
		return nil, err
	}
	for _, t := range found {
		data, err := tokens.ParseData(t.Data)
		if err != nil || !stillBound(t.Kind, data, u.Realm, u.Authenticatable) {
			continue
		}
		devices = append(devices, tokenDevice(t, data, slices.Contains(current.Families, t.Family)))
	}
	slices.SortStableFunc(devices, func(a, b Device) int { return b.LastSeen.Compare(a.LastSeen) })
	return devices, nil
}

// stillBound reports whether a token is bound to the user's current stamp, or to none but to
// this user.
func stillBound(kind stores.Kind, data tokens.Data, rm *realm.Realm, u models.Authenticatable) bool {
	if !data.Bound {
		return data.OfSame(rm, u)
	}
	purpose := map[stores.Kind]stamp.Purpose{
		stores.Remember: stamp.Remember, stores.Refresh: stamp.Refresh, stores.Personal: stamp.Personal,
	}[kind]
	return rm.Fits(purpose, u, data.Fingerprint)
}

func tokenDevice(t stores.Token, data tokens.Data, current bool) Device {
	d := Device{
		ID: string(t.Kind) + "-" + t.Family, Kind: string(t.Kind), Name: t.Name, Address: data.Address,
		Created: t.Created, LastSeen: t.Created, Current: current,
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
			Series: login.Series, owner: owner,
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

// EndDevice ends a device that is not the current session.
func (s *Service) EndDevice(ctx context.Context, d Device) error {
	_, name, _ := strings.Cut(d.ID, "-")
	family := name
	if d.Kind == SessionKind {
		family = d.Series // first what could start another session in its place
	}
	if family != "" {
		if _, err := s.Tokens.RevokeFamily(ctx, family); err != nil {
			return err
		}
	}
	if d.Kind != SessionKind {
		return nil
	}
	return autherr.Unavailable("end device", s.Sessions.End(ctx, name, d.owner))
}

// StoredName returns the name of the token or row of a device, for events.
func (d Device) StoredName() string {
	_, name, _ := strings.Cut(d.ID, "-")
	return name
}
