package ginauth

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

const (
	deviceCookie   = "device"
	deviceLifetime = 90 * 24 * time.Hour
	// maxKnown is how many accounts one device is known to: enough for a
	// family, too few to buy guesses with.
	maxKnown = 4

	deviceIDBytes = 16
	deviceBytes   = len(stores.Digest{}) + deviceIDBytes + len(stores.Digest{})
)

// knownDevice says that a device has logged into an account. It opens nothing:
// it only has tries of its own to log in, as long as the account's security
// stamp is the same.
type knownDevice struct {
	account     stores.Digest
	id          [deviceIDBytes]byte
	fingerprint stores.Digest
}

// knownDevices reads the cookie that says which accounts this device has logged
// into.
func (x *requestState) knownDevices() []knownDevice {
	text, ok := x.Cookie(x.Jar.Sibling(deviceCookie))
	if !ok {
		return nil
	}
	data, _, ok := x.m.subkeys.device.Open(x.m.env.Now(), text)
	if !ok || len(data)%deviceBytes != 0 || len(data) > maxKnown*deviceBytes {
		return nil
	}
	var known []knownDevice
	for entry := range slices.Chunk(data, deviceBytes) {
		var d knownDevice
		n := copy(d.account[:], entry)
		n += copy(d.id[:], entry[n:])
		copy(d.fingerprint[:], entry[n:])
		known = append(known, d)
	}
	return known
}

// deviceFor returns this device's entry for an account, or nil.
func (x *requestState) deviceFor(account [][]byte) *knownDevice {
	for _, d := range x.knownDevices() {
		if _, ok := x.m.subkeys.account.Verify(d.account[:], account...); ok {
			return &d
		}
	}
	return nil
}

// deviceFits reports whether the account's stamp is the one of the login that
// made the device known.
func (m *Manager) deviceFits(d knownDevice, realm string, u models.Authenticatable) bool {
	_, ok := m.checkFingerprint(d.fingerprint[:], deviceCredential, realm, u)
	return ok
}

// rememberDevice makes this device known to the account that it logged into.
func (x *requestState) rememberDevice(realm string, s subject, u models.Authenticatable) {
	d := knownDevice{account: s.account, fingerprint: x.m.fingerprint(deviceCredential, realm, u)}
	if s.device != nil {
		d.id = s.device.id
	} else {
		_, _ = rand.Read(d.id[:])
	}
	known := slices.DeleteFunc(x.knownDevices(), func(old knownDevice) bool {
		return old.account == d.account || old.id == d.id
	})
	known = append([]knownDevice{d}, known[:min(len(known), maxKnown-1)]...)
	var data []byte
	for _, k := range known {
		data = append(append(append(data, k.account[:]...), k.id[:]...), k.fingerprint[:]...)
	}
	text, err := x.m.subkeys.device.Seal(x.m.env.Now(), deviceLifetime, data)
	if err != nil {
		x.m.env.Log.Error("ginauth: device not remembered", "error", err)
		return
	}
	x.SetCookie(x.Jar.Sibling(deviceCookie), text, deviceLifetime)
}
