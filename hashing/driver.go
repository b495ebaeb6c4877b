package hashing

// Driver is an algorithm with its costs. Argon2id, Bcrypt and Scrypt are
// drivers; others can be written to read the hashes of an older application.
//
// All methods are safe for concurrent use, keep no argument, and put neither
// the password nor the hash into an error. A Manager calls Hash and Verify only
// with passwords of 1 to MaxPassword bytes of valid UTF-8, and Verify only with
// hashes of at most 1024 bytes that Recognizes and NeedsRehash accepted.
type Driver interface {
	// Validate returns every fault of the driver's costs, joined. Each names
	// the field, its value and the bound. With allowWeak, costs that work but
	// are below what is recommended today are not faults.
	Validate(allowWeak bool) error
	// Recognizes reports whether the driver is the one to read a hash, as a
	// rule by its prefix. The hash may nevertheless be malformed.
	Recognizes(encoded string) bool
	// NeedsRehash reports whether a hash was made with other costs than the
	// driver's. It returns an error wrapping ErrBadHash if the hash is
	// malformed or its costs are above the driver's ceiling. It is cheap, for
	// it guards Verify against hostile hashes.
	NeedsRehash(encoded string) (bool, error)
	// Hash returns the hash of a password, with the driver's costs and a fresh
	// random salt. The same driver recognizes it and need not rehash it.
	Hash(password string) (string, error)
	// Verify reports whether the password is the one the hash was made of. It
	// works as hard for a wrong password as for the right one, compares in
	// constant time, and returns an error wrapping ErrBadHash where
	// NeedsRehash does.
	Verify(password, encoded string) (bool, error)
}

// PasswordChecker is the optional ability of a driver that cannot hash every
// password, as those of bcrypt, and of scrypt and all else that is built on
// PBKDF2, cannot. Its Verify takes the others too, does its work, and reports
// false.
type PasswordChecker interface {
	// CheckPassword returns an error wrapping ErrPassword, which says why, if
	// Hash would refuse the password. It is cheap.
	CheckPassword(password string) error
}

// builtin returns the drivers that every Manager verifies with.
func builtin() []Driver { return []Driver{Argon2id{}, Bcrypt{}, Scrypt{}} }

// checkHashable returns why the driver cannot hash the password.
func checkHashable(driver Driver, password string) error {
	if checker, ok := driver.(PasswordChecker); ok {
		return checker.CheckPassword(password)
	}
	return nil
}
