package models

// Times in these records are Unix times in microseconds. They mean the same on
// every database, whatever its time zone and the precision of its date types.

// Session is one row of the session table.
type Session struct {
	// Row is the identifier of the row. It never changes, also when the session
	// id changes. It is random and not secret.
	Row string `gorm:"primaryKey;size:32"`
	// Digest is the SHA-256 of the secret half of the current session id.
	Digest []byte `gorm:"size:32;not null"`
	// Owner is the first of the users who are logged in, or "".
	Owner string `gorm:"size:255;not null;index"`
	// AllOwners is "" for a session that never had more than one owner. Of any
	// other session it is a JSON array of its owners, and SessionOwner has a
	// record for each of them.
	AllOwners string `gorm:"type:text;not null"`
	// Principals says who is logged in, in an encoding of the caller's.
	Principals []byte `gorm:"size:4096;not null"`
	// Generation counts how often a principal was replaced or removed.
	Generation int64 `gorm:"not null"`
	// Payload is the encoded stores.Values.
	Payload []byte `gorm:"size:1048576;not null"`
	// Version is incremented by every change. MySQL reports the number of
	// changed rows, not of matched rows, so every update must change a column.
	Version int64 `gorm:"not null"`
	// Address and UserAgent describe the client that started the session.
	Address   string `gorm:"size:64;not null"`
	UserAgent string `gorm:"size:255;not null"`
	Created   int64  `gorm:"not null"`
	LastSeen  int64  `gorm:"not null"`
	// Renamed is the time of the last change of Digest, or 0.
	Renamed int64 `gorm:"not null"`
	Expires int64 `gorm:"not null;index"`
}

// TableName returns "auth_sessions".
func (Session) TableName() string { return "auth_sessions" }

// SessionOwner lists a session that has, or has had, more than one owner under
// one of its owners. The other sessions have no such record.
type SessionOwner struct {
	// Row names the session.
	Row string `gorm:"primaryKey;size:32"`
	// Place is the owner's index in Session.AllOwners.
	Place int64  `gorm:"primaryKey;autoIncrement:false"`
	Owner string `gorm:"size:255;not null;index"`
}

// TableName returns "auth_session_owners".
func (SessionOwner) TableName() string { return "auth_session_owners" }

// TokenFamily is the root record of a family of tokens. Its Revoked column
// decides whether the members are valid. Every rotation and revocation writes
// this record first, so that concurrent rotations and revocations are
// serialized.
type TokenFamily struct {
	Family  string `gorm:"primaryKey;size:32"`
	Kind    string `gorm:"size:32;not null"`
	Owner   string `gorm:"size:255;not null;index"`
	Version int64  `gorm:"not null"`
	Created int64  `gorm:"not null"`
	// Expires is the time at which the family ends, even if its members expire
	// later.
	Expires int64 `gorm:"not null;index"`
	// Revoked is the time of revocation, or 0.
	Revoked int64 `gorm:"not null"`
}

// TableName returns "auth_token_families".
func (TokenFamily) TableName() string { return "auth_token_families" }

// Token is one token: a refresh, remember-me, password reset, personal access
// or revoked token.
type Token struct {
	ID     string `gorm:"primaryKey;size:32"`
	Family string `gorm:"size:32;not null;index"`
	Kind   string `gorm:"size:32;not null"`
	Owner  string `gorm:"size:255;not null;index"`
	// Digest is the SHA-256 of the token's secret.
	Digest []byte `gorm:"size:32;not null"`
	Name   string `gorm:"size:255;not null"`
	// Abilities is a JSON array of strings.
	Abilities string `gorm:"type:text;not null"`
	// Data holds data specific to the kind, such as the fingerprint of the
	// owner's security stamp.
	Data    []byte `gorm:"size:4096;not null"`
	Version int64  `gorm:"not null"`
	Created int64  `gorm:"not null"`
	Expires int64  `gorm:"not null;index"`
	// Consumed is the time at which a single-use token was used, or 0.
	Consumed int64 `gorm:"not null"`
	// LastUsed is the time at which the token was last presented, or 0.
	LastUsed int64 `gorm:"not null"`
	// Delivered is the time at which a response with the token was about to be
	// sent, or 0.
	Delivered int64 `gorm:"not null"`
}

// TableName returns "auth_tokens".
func (Token) TableName() string { return "auth_tokens" }

// Attempt is one throttle window: the attempts counted for one subject in a
// period of time.
type Attempt struct {
	// ID is the hexadecimal digest of the subject that is counted.
	ID string `gorm:"primaryKey;size:64"`
	// Taken is the number of attempts in the window.
	Taken int64 `gorm:"not null"`
	// Opened is the time at which the window began. It distinguishes the window
	// from later windows of the same subject.
	Opened  int64 `gorm:"not null"`
	Expires int64 `gorm:"not null;index"`
	Version int64 `gorm:"not null"`
}

// TableName returns "auth_attempts".
func (Attempt) TableName() string { return "auth_attempts" }

// Factor is one second factor of a user.
type Factor struct {
	// ID is a digest of the owner, the kind and the identifier of the factor.
	ID string `gorm:"primaryKey;size:64"`
	// OwnerKey is a digest of Owner, which is the user that the factor belongs to.
	OwnerKey string `gorm:"not null;size:64;index"`
	Owner    string `gorm:"not null;size:255"`
	// Kind says what the factor is, as in "totp". It is empty in the rows that changes of all factors of a kind wait for.
	Kind     string `gorm:"not null;size:32"`
	FactorID string `gorm:"not null;size:32"`
	Name     string `gorm:"not null;size:255"`
	// Data are those of the feature, which seals what is secret.
	Data []byte `gorm:"size:4096"`
	// Counter is what a use raises, such as the last time step of which a code was used.
	Counter  int64 `gorm:"not null"`
	Created  int64 `gorm:"not null"`
	LastUsed int64 `gorm:"not null"`
	Version  int64 `gorm:"not null"`
}

// TableName returns "auth_factors".
func (Factor) TableName() string { return "auth_factors" }

// Identity says which user a subject at a provider is.
type Identity struct {
	// ID is a digest of the provider and the subject.
	ID string `gorm:"primaryKey;size:64"`
	// OwnerKey is a digest of Owner, which is the user that the identity belongs to.
	OwnerKey string `gorm:"not null;size:64;index"`
	Owner    string `gorm:"not null;size:255"`
	// Provider names who identifies the subject. It is empty in the rows that changes of an owner wait for.
	Provider string `gorm:"not null;size:32"`
	Subject  string `gorm:"not null;size:255"`
	// Data are those of the feature, which seals what is secret.
	Data     []byte `gorm:"size:16384"`
	Created  int64  `gorm:"not null"`
	LastUsed int64  `gorm:"not null"`
	Version  int64  `gorm:"not null"`
}

// TableName returns "auth_identities".
func (Identity) TableName() string { return "auth_identities" }

// All returns a value of every model, for db.AutoMigrate(models.All()...). An
// application with its own user type also migrates that type, and may leave the
// table of User empty. The records of the stores get the names that their methods
// TableName return, whatever the naming strategy: gormstore.Migrate follows it.
func All() []any {
	return []any{&User{}, &Session{}, &SessionOwner{}, &TokenFamily{}, &Token{}, &Attempt{}, &Factor{}, &Identity{}}
}
