package hashing

// Driver is a password hashing algorithm with its costs. Argon2id, Bcrypt and
// Scrypt are drivers. An application can implement others to read the hashes of
// an older application.
//
// All methods must be safe for concurrent use. They must not keep their
// arguments, and their errors must not contain the password or the hash. A
// Manager calls Hash and Verify only with passwords of 1 to MaxPassword bytes
// of valid UTF-8. It calls Verify only with hashes of at most 1024 bytes for
// which Recognizes returned true and NeedsRehash returned no error.
type Driver interface {
	// Validate returns all faults of the driver's costs, joined. Each error
	// names the field, its value and the limit. If allowWeak is true, costs
	// below the recommended minimum are accepted.
	Validate(allowWeak bool) error
	// Recognizes reports whether this driver reads the hash. Usually it
	// compares a prefix. The hash may still be malformed.
	Recognizes(encoded string) bool
	// NeedsRehash reports whether a hash has other costs than the driver. The
	// error wraps ErrBadHash if the hash is malformed or has costs above the
	// driver's maximum. NeedsRehash must be cheap, because it is called to keep
	// hostile hashes from Verify.
	NeedsRehash(encoded string) (bool, error)
	// Hash returns the hash of a password, with the driver's costs and a new
	// random salt. Recognizes must return true for the result, and NeedsRehash
	// false.
	Hash(password string) (string, error)
	// Verify reports whether the hash was made from the password. It takes the
	// same time for a wrong password and for the right one, and compares in
	// constant time. It returns an error wrapping ErrBadHash for the same
	// hashes as NeedsRehash.
	Verify(password, encoded string) (bool, error)
}

// PasswordChecker is the optional capability of a driver that cannot hash every
// password. Examples are bcrypt, and scrypt and other algorithms based on
// PBKDF2. Verify of such a driver must accept all passwords: for a password
// that the driver cannot hash, it does its usual work and returns false.
type PasswordChecker interface {
	// CheckPassword returns an error if Hash would refuse the password. The
	// error wraps ErrPassword and gives the reason. CheckPassword is cheap.
	CheckPassword(password string) error
}

// builtin returns the drivers that every Manager can verify with.
func builtin() []Driver { return []Driver{Argon2id{}, Bcrypt{}, Scrypt{}} }

// checkHashable returns an error if the driver cannot hash the password.
func checkHashable(driver Driver, password string) error {
	if checker, ok := driver.(PasswordChecker); ok {
		return checker.CheckPassword(password)
	}
	return nil
}
