package throttle

import (
	"github.com/ginauth/ginauth/internal/clientaddr"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Subject is what an attempt to prove a secret is counted under.
//
// Every way to prove a secret of one account shares one count. Where users have one
// identifier, an email address, the account is what the identifier names. Otherwise an
// attempt counts under the user as well, once the user is looked up. An identifier that
// names nobody is counted as if it named a user who has no other. So a client can learn
// that two identifiers are of one account by using up the attempts of both; that cannot
// be hidden without giving guesses away or refusing right passwords as wrong ones.
type Subject struct {
	Account stores.Digest // names the account in events
	Device  *Device       // set if this device has logged into the account

	field   string        // that named the account
	kind    string        // of the windows
	name    stores.Digest // of the account in windows
	address string        // IPv4, or the /64 of IPv6; "" if not known
	site    string        // the /48 of IPv6, or ""
	token   string        // that names devices, where there is no cookie
}

const (
	emailField = "email"

	byIdentifier = "account"
	byUser       = "user"
)

// countedByUser reports whether attempts at a field are counted by user as well, because
// users have other identifiers, or because it is not the field by which UserSubject names
// a user.
func countedByUser(rm *realm.Realm, field string) bool {
	many, ok := rm.Users.(models.ManyIdentifiers)
	return field != emailField || ok && many.ManyIdentifiers()
}

// Subject returns the subject of an attempt at an identifier. It is the canonical one that
// is looked up, so all spellings share one count. The token is one of DeviceToken or "".
func (l *Limiter) Subject(r *request.State, rm *realm.Realm, field, canonical, token string) Subject {
	s := Subject{Account: l.Account(rm.Name, field, canonical), field: field, kind: byIdentifier, token: token}
	s.name = s.Account
	s.address, _ = clientaddr.Prefix(r.Remote)
	s.site = clientaddr.Site(r.Remote)
	s.Device = l.deviceFor(r, token, func(d *Device) bool { return l.isOf(d, rm, field, canonical) })
	return s
}

// UserSubject returns the subject of an attempt at a user who is known already. The email
// is the user's canonical address, or "".
func (l *Limiter) UserSubject(r *request.State, rm *realm.Realm, u models.Authenticatable, email string) Subject {
	if email == "" {
		return l.userSubject(r, rm, u, l.Subject(r, rm, "id", u.AuthID(), ""))
	}
	s := l.Subject(r, rm, emailField, email, "")
	if countedByUser(rm, emailField) {
		return l.userSubject(r, rm, u, s)
	}
	if s.Device != nil && !s.Device.fits(rm, u) {
		s.Device = nil
	}
	return s
}

// Recipient names in windows to whom mails go that a request asks for: an account, or the account as
// seen from a device that has logged into it. So a stranger cannot use up the mails of a device that the
// user knows. U is nil if the account does not exist.
func (l *Limiter) Recipient(r *request.State, rm *realm.Realm, u models.Authenticatable, canonical string) []byte {
	s := l.Subject(r, rm, emailField, canonical, "")
	name := s.Account[:]
	if s.Device != nil && s.Device.fits(rm, u) {
		name = append(name, s.Device.id[:]...)
	}
	return name
}

// userSubject returns the subject of an attempt that counts under the user as well. If u
// is nil the identifier stands for it.
func (l *Limiter) userSubject(r *request.State, rm *realm.Realm, u models.Authenticatable, s Subject) Subject {
	s.kind, s.Device = byUser, nil
	if u == nil {
		return s
	}
	s.name = l.cfg.Accounts.MAC([]byte("user"), []byte(rm.Name), []byte(u.AuthID()), nil)
	s.Device = l.deviceFor(r, s.token, func(d *Device) bool { return d.fits(rm, u) })
	return s
}
