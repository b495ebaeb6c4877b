package ginauth

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/useragent"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Device is something that is logged into an account, or may be: a session, a
// remembered device, a login by tokens, or a personal access token.
type Device struct {
	// ID names it, for RevokeDevice. It opens nothing.
	ID string `json:"id"`
	// Kind is "session", "remember", "refresh" or "personal".
	Kind string `json:"kind"`
	// Name is what the client says that it is, as in "Firefox on Linux", or the
	// name of a personal access token.
	Name string `json:"name"`
	// Address is the client's address when it logged in, or "".
	Address  string    `json:"address"`
	Created  time.Time `json:"created"`
	LastSeen time.Time `json:"last_seen"`
	// Current says that it is what this request comes from.
	Current bool `json:"current"`

	series string // of the remember-me tokens of a session, or ""
}

// sessionKind is the kind of a session among devices.
const sessionKind = "session"

// Devices returns what is logged into the account of the request's user, the
// most recently seen first. Sessions are among them if the store knows whose
// they are. The errors are ErrUnauthenticated and ErrUnavailable.
func (a *Authenticator) Devices(ctx context.Context) ([]Device, error) {
	u, err := a.User(ctx)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, ErrUnauthenticated
	}
	m, g := a.x.m, a.current()
	ctx, span := a.x.Span(ctx)
	defer span.End()
	devices, err := a.sessionDevices(ctx, u)
	if err != nil {
		return nil, err
	}
	tokens, err := m.stores.Tokens.TokensOf(ctx, session.OwnerName(g.realm, u.AuthID()), stores.Remember, stores.Refresh, stores.Personal)
	if err != nil {
		return nil, autherr.Unavailable("list tokens", err)
	}
	current, err := a.currentFamilies(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		data, err := parseTokenData(t.Data)
		if err != nil || !lives(t, m.env.Now()) || !m.stillBound(t.Kind, data, g.realm, u) {
			continue
		}
		devices = append(devices, tokenDevice(t, data, slices.Contains(current, t.Family)))
	}
	slices.SortStableFunc(devices, func(a, b Device) int { return b.LastSeen.Compare(a.LastSeen) })
	return devices, nil
}

// stillBound reports whether the stamp that a token is bound to is the user's.
func (m *Manager) stillBound(kind stores.Kind, data tokenData, realm string, u models.Authenticatable) bool {
	if !data.bound {
		return true
	}
	credential := map[stores.Kind]string{
		stores.Remember: rememberCredential, stores.Refresh: refreshCredential, stores.Personal: personalCredential,
	}[kind]
	_, ok := m.checkFingerprint(data.fingerprint[:], credential, realm, u)
	return ok
}

func tokenDevice(t stores.Token, data tokenData, current bool) Device {
	d := Device{
		ID: string(t.Kind) + "-" + t.Family, Kind: string(t.Kind), Name: t.Name, Address: data.address,
		Created: t.Created, LastSeen: t.Created, Current: current,
	}
	if t.Kind != stores.Personal {
		d.Name = useragent.Name(t.Name)
	}
	if t.LastUsed.After(d.LastSeen) {
		d.LastSeen = t.LastUsed
	}
	return d
}

func (a *Authenticator) sessionDevices(ctx context.Context, u models.Authenticatable) ([]Device, error) {
	m, g := a.x.m, a.current()
	index, ok := m.stores.Sessions.(stores.SessionIndex)
	if !ok {
		return []Device{}, nil
	}
	rows, err := index.SessionsOf(ctx, session.OwnerName(g.realm, u.AuthID()))
	if err != nil {
		return nil, autherr.Unavailable("list sessions", err)
	}
	own := ""
	if a.x.started {
		own = a.x.session.s.Row()
	}
	devices := []Device{}
	for _, row := range rows {
		login := m.loginOf(row, g, u)
		if login == nil {
			continue
		}
		devices = append(devices, Device{
			ID: sessionKind + "-" + row.Row, Kind: sessionKind, Name: useragent.Name(row.UserAgent), Address: row.Address,
			Created: row.Created, LastSeen: row.LastSeen, Current: row.Row == own,
			series: login.Series,
		})
	}
	return devices, nil
}

// loginOf returns the login by which a row would still let its user in, or nil.
func (m *Manager) loginOf(row stores.Session, g *guardEntry, u models.Authenticatable) *session.Login {
	if m.sessions.Expired(&row) {
		return nil
	}
	for _, name := range m.guardNames() {
		login, ok := session.LoginIn(&row, name)
		if !ok || m.guards[name].realm != g.realm || login.UserID != u.AuthID() {
			continue
		}
		if _, ok := m.checkFingerprint(login.Fingerprint[:], sessionCredential, g.realm, u); ok {
			return &login
		}
	}
	return nil
}

// currentFamilies returns the families of tokens that this request is from.
func (a *Authenticator) currentFamilies(ctx context.Context) ([]string, error) {
	var families []string
	login, _, err := a.ownLogin(ctx)
	if err != nil {
		return nil, err
	}
	if login.Series != "" {
		families = append(families, login.Series)
	}
	token, err := a.Token(ctx)
	if token != nil && err == nil {
		families = append(families, cmp.Or(token.family, token.ID))
	}
	return families, err
}

// RevokeDevice ends one of the devices that Devices lists. One that does not
// exist, and one that is somebody else's, is ErrNotFound. The other errors are
// ErrUnauthenticated, ErrForbidden for a request by a personal access token, and
// ErrUnavailable.
func (a *Authenticator) RevokeDevice(ctx context.Context, id string) error {
	if _, err := a.ownUser(ctx); err != nil {
		return err
	}
	devices, err := a.Devices(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(devices, func(d Device) bool { return d.ID == id })
	if i < 0 {
		return ErrNotFound
	}
	return a.revokeDevice(ctx, devices[i])
}

func (a *Authenticator) revokeDevice(ctx context.Context, d Device) error {
	m, g := a.x.m, a.current()
	userID, err := a.ID(ctx)
	if err != nil {
		return err
	}
	if d.Current && d.Kind == sessionKind {
		if err := a.Logout(ctx); err != nil {
			return err
		}
		m.Dispatch(ctx, events.CurrentDeviceLogout{Meta: a.x.Meta(g.name, userID)})
		return nil
	}
	phase, span := a.x.Span(context.WithoutCancel(ctx)) // what is ended is so, also if the client hung up
	defer span.End()
	_, name, _ := strings.Cut(d.ID, "-")
	family := name
	if d.Kind == sessionKind {
		// First what would begin another session in its place.
		family = d.series
	}
	if family != "" {
		_, err = m.stores.Tokens.RevokeFamily(phase, m.env.Now(), family)
	}
	if d.Kind == sessionKind && err == nil {
		_, err = m.stores.Sessions.Delete(phase, name)
	}
	if err != nil {
		return autherr.Unavailable("end device", err)
	}
	m.Dispatch(ctx, events.TokenRevoked{Meta: a.x.Meta(g.name, userID), Kind: d.Kind, TokenID: name})
	return nil
}
