package jws

import "errors"

// ErrKey says that a key or a set of keys cannot be used. The error contains
// the kid of the key and never the key.
var ErrKey = errors.New("jws: unusable key")

// ErrInput says that a payload cannot be signed, because verifying the token
// would fail.
var ErrInput = errors.New("jws: token cannot be signed")

// The reasons for refusing a token. They are meant for the log. The client must
// only learn that the token is not valid.
var (
	// ErrTooLong says that a token is longer than MaxToken.
	ErrTooLong = errors.New("jws: token is too long")
	// ErrFormat says that a token is not three segments of base64url, or that a
	// segment is not in canonical form.
	ErrFormat = errors.New("jws: token is not three segments of base64url")
	// ErrHeader says that a header is malformed or contains a key.
	ErrHeader = errors.New("jws: header is not acceptable")
	// ErrCritical says that a header requires an extension. No extension is
	// supported.
	ErrCritical = errors.New("jws: header requires an extension")
	// ErrUnknownKey says that no key has the kid of the header.
	ErrUnknownKey = errors.New("jws: no key has this kid")
	// ErrAlgorithm says that the algorithm in the header is not that of the
	// key.
	ErrAlgorithm = errors.New("jws: algorithm is not that of the key")
	// ErrType says that the typ in the header of a token is not the expected
	// one.
	ErrType = errors.New("jws: token has another type")
	// ErrSignature says that the signature is not valid for the key.
	ErrSignature = errors.New("jws: signature does not match")
	// ErrPayload says that a signed payload is not a JSON object that this
	// package accepts.
	ErrPayload = errors.New("jws: payload is not acceptable")
	// ErrClaim says that a claim is missing or has a wrong type or length.
	ErrClaim = errors.New("jws: claim is not acceptable")
	// ErrExpired says that a token has expired.
	ErrExpired = errors.New("jws: token has expired")
	// ErrNotYet says that the iat or nbf of a token is in the future.
	ErrNotYet = errors.New("jws: token is not valid yet")
	// ErrIssuer says that a token is from another issuer than expected.
	ErrIssuer = errors.New("jws: token is from another issuer")
	// ErrAudience says that a token is not for the expected audience.
	ErrAudience = errors.New("jws: token is for another audience")
	// ErrKind says that a token was issued for another purpose: its kind is not
	// the expected one.
	ErrKind = errors.New("jws: token has another kind")
)

// The reasons for refusing JSON. Errors of the header and of the payload wrap
// one of them.
var (
	// ErrSyntax says that a text is not one JSON object.
	ErrSyntax = errors.New("not a JSON object")
	// ErrText says that a text is not valid UTF-8 or has half of a surrogate
	// pair.
	ErrText = errors.New("text is not Unicode")
	// ErrDepth says that a text is nested deeper than 32 levels.
	ErrDepth = errors.New("nested too deeply")
	// ErrMembers says that an object and the objects around it have more than
	// 128 members in total.
	ErrMembers = errors.New("too many members")
	// ErrDuplicate says that a member is ambiguous: it occurs twice, it differs
	// from another member only in case, or it differs only in case or escapes
	// from the name of a member that this package interprets. JSON parsers do
	// not agree which of them to use.
	ErrDuplicate = errors.New("member is ambiguous")
)
