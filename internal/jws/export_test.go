package jws

// CheckObject is the check that Verify and Sign apply to a payload.
func CheckObject(text string) error { return checkObject(text) }

// SignInput signs any text, also one that is not a token.
func SignInput(k Key, input string) ([]byte, error) { return k.material().sign([]byte(input)) }

// VerifyInput verifies a signature of SignInput.
func VerifyInput(k Key, input string, signature []byte) bool {
	return k.material().verify(input, signature)
}
