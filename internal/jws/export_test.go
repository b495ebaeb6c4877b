package jws

// CheckObject is what Verify and Sign ask of a payload.
func CheckObject(text string) error { return checkObject(text) }

// SignInput signs a text that need not be a token of this package.
func SignInput(k Key, input string) ([]byte, error) { return k.material().sign([]byte(input)) }

// VerifyInput verifies what SignInput signs.
func VerifyInput(k Key, input string, signature []byte) bool {
	return k.material().verify(input, signature)
}
