package totp

// CodeAtForTest is codeAt.
var CodeAtForTest = codeAt
