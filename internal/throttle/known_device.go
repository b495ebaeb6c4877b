package throttle

import (
	"crypto/hmac"
	"crypto/rand"
	"slices"
	"time"

	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

const (
	deviceCookie   = "device"
	deviceLifetime = 90 * 24 * time.Hour
	// maxKnown is how many accounts one device is known to: enough for a family,
	// too few to buy guesses with.
	maxKnown = 4

	deviceIDBytes = 16
	deviceBytes   = len(stores.Digest{}) + deviceIDBytes + len(stores.Digest{})
)

// maxDeviceText is the longest text of known devices that is read, in bytes.
const maxDeviceText = 1024

// Device says that a device has logged into an account. It opens nothing: the device
// only has attempts of its own, as long as the account's security stamp is the same.
type Device struct {
	account     stores.Digest
	id          [deviceIDBytes]byte
	fingerprint stores.Digest
}

// devices reads which accounts this device has logged into: from the token that it sent, or
// else from its cookie.
func (l *Limiter) devices(r *request.State, token string) []Device {
	text, ok := token, token != ""
	if !ok {
		text, ok = r.Cookie(r.Jar.Sibling(deviceCookie))
	}
	if !ok || len(text) > maxDeviceText {
		return nil
	}
	data, _, ok := l.cfg.Devices.Open(l.env.Now(), text)
	if !ok || len(data)%deviceBytes != 0 || len(data) > maxKnown*deviceBytes {
		return nil
	}
	var known []Device
	for entry := range slices.Chunk(data, deviceBytes) {
		var d Device
		n := copy(d.account[:], entry)
		n += copy(d.id[:], entry[n:])
		copy(d.fingerprint[:], entry[n:])
		known = append(known, d)
	}
	return known
}

// deviceFor returns this device's first entry that matches, or nil.
func (l *Limiter) deviceFor(r *request.State, token string, match func(*Device) bool) *Device {
	for _, d := range l.devices(r, token) {
		if match(&d) {
			return &d
		}
	}
	return nil
}

// isOf reports whether a device is known to the account that an identifier names.
func (l *Limiter) isOf(d *Device, rm *realm.Realm, field, canonical string) bool {
	_, ok := l.cfg.Accounts.Verify(d.account[:], []byte(rm.Name), []byte(field), []byte(canonical))
	return ok
}

// fits reports whether the account's security stamp is the one of the login that made
// the device known.
func (d *Device) fits(rm *realm.Realm, u models.Authenticatable) bool {
	return u != nil && rm.Fits(stamp.Device, u, d.fingerprint)
}

// RememberDevice makes this device known to the account that it logged into, by a cookie.
func (l *Limiter) RememberDevice(r *request.State, rm *realm.Realm, s Subject, u models.Authenticatable) {
	l.remember(r, s, rm.Sum(stamp.Device, u))
}

// RememberNothing sends a cookie that looks as after RememberDevice. The entry in it fits no
// user.
func (l *Limiter) RememberNothing(r *request.State, s Subject) {
	var random stores.Digest
	_, _ = rand.Read(random[:])
	if s.Device != nil {
		random = s.Device.fingerprint // keep what is known
	}
	l.remember(r, s, random)
}

func (l *Limiter) remember(r *request.State, s Subject, fingerprint stores.Digest) {
	if text := l.deviceToken(r, s, fingerprint); text != "" {
		r.SetCookie(r.Jar.Sibling(deviceCookie), text, deviceLifetime)
	}
}

// DeviceToken is RememberDevice for clients that keep no cookies: it returns what the
// client has to send at its next login. The text is "" if it cannot be made.
func (l *Limiter) DeviceToken(r *request.State, rm *realm.Realm, s Subject, u models.Authenticatable) string {
	return l.deviceToken(r, s, rm.Sum(stamp.Device, u))
}

func (l *Limiter) deviceToken(r *request.State, s Subject, fingerprint stores.Digest) string {
	d := Device{account: s.Account, fingerprint: fingerprint}
	if s.Device != nil {
		d.id = s.Device.id
	} else {
		_, _ = rand.Read(d.id[:])
	}
	// Other identifiers of the user have the same id, and thereby the same count.
	known := slices.DeleteFunc(l.devices(r, s.token), func(old Device) bool {
		return old.account == d.account || old.id == d.id && !hmac.Equal(old.fingerprint[:], d.fingerprint[:])
	})
	known = append([]Device{d}, known[:min(len(known), maxKnown-1)]...)
	var data []byte
	for _, k := range known {
		data = append(append(append(data, k.account[:]...), k.id[:]...), k.fingerprint[:]...)
	}
	text, err := l.cfg.Devices.Seal(l.env.Now(), deviceLifetime, data)
	if err != nil {
		l.env.Log.Error("ginauth: device not remembered", "error", err)
		return ""
	}
	return text
}
