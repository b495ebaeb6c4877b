package throttle

import (
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

// Device says that a device has logged into an account. It opens nothing: the device
// only has attempts of its own, as long as the account's security stamp is the same.
type Device struct {
	account     stores.Digest
	id          [deviceIDBytes]byte
	fingerprint stores.Digest
}

// devices reads the cookie that says which accounts this device has logged into.
func (l *Limiter) devices(r *request.State) []Device {
	text, ok := r.Cookie(r.Jar.Sibling(deviceCookie))
	if !ok {
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

// deviceFor returns this device's entry for an account, or nil.
func (l *Limiter) deviceFor(r *request.State, realm, field, canonical string) *Device {
	for _, d := range l.devices(r) {
		if _, ok := l.cfg.Accounts.Verify(d.account[:], []byte(realm), []byte(field), []byte(canonical)); ok {
			return &d
		}
	}
	return nil
}

// RememberDevice makes this device known to the account that it logged into.
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
	d := Device{account: s.Account, fingerprint: fingerprint}
	if s.Device != nil {
		d.id = s.Device.id
	} else {
		_, _ = rand.Read(d.id[:])
	}
	known := slices.DeleteFunc(l.devices(r), func(old Device) bool {
		return old.account == d.account || old.id == d.id
	})
	known = append([]Device{d}, known[:min(len(known), maxKnown-1)]...)
	var data []byte
	for _, k := range known {
		data = append(append(append(data, k.account[:]...), k.id[:]...), k.fingerprint[:]...)
	}
	text, err := l.cfg.Devices.Seal(l.env.Now(), deviceLifetime, data)
	if err != nil {
		l.env.Log.Error("ginauth: device not remembered", "error", err)
		return
	}
	r.SetCookie(r.Jar.Sibling(deviceCookie), text, deviceLifetime)
}
