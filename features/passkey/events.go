package passkey

import "github.com/ginauth/ginauth/events"

// Registered is dispatched when a user has registered a passkey.
type Registered struct {
	events.Meta
	// Passkey is Passkey.ID, and Name its name.
	Passkey, Name string
}

// EventName returns "passkey_registered".
func (Registered) EventName() string { return "passkey_registered" }

// Renamed is dispatched when a user has renamed a passkey.
type Renamed struct {
	events.Meta
	// Passkey is Passkey.ID, and Name its new name.
	Passkey, Name string
}

// EventName returns "passkey_renamed".
func (Renamed) EventName() string { return "passkey_renamed" }

// Removed is dispatched when a user has removed a passkey.
type Removed struct {
	events.Meta
	// Passkey is Passkey.ID.
	Passkey string
}

// EventName returns "passkey_removed".
func (Removed) EventName() string { return "passkey_removed" }

// Used is dispatched when an authenticator has answered a challenge. A login that fails after it, as that of a disabled
// user, has no event Login.
type Used struct {
	events.Meta
	// Passkey is Passkey.ID.
	Passkey string
	// Verified says that the authenticator verified its user.
	Verified bool
	// BackedUp says that the passkey is copied to other devices.
	BackedUp bool
}

// EventName returns "passkey_used".
func (Used) EventName() string { return "passkey_used" }

// CounterWentBack is dispatched when the sign count of a passkey did not rise: there may be a copy of it. The passkey is
// refused, unless Options.InsecureAllowCounterBack is set.
type CounterWentBack struct {
	events.Meta
	// Passkey is Passkey.ID.
	Passkey string
	// Stored is the last sign count, and Sent that of the authenticator.
	Stored, Sent uint32
}

// EventName returns "passkey_counter_went_back".
func (CounterWentBack) EventName() string { return "passkey_counter_went_back" }
