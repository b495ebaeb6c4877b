package jws

import "errors"

// ErrKey says that a key, or a set of keys, cannot be used. The error names the
// key by its kid and never quotes it.
var ErrKey = errors.New("jws: key is unusable")

// ErrInput says that a payload cannot be signed: it would be refused when it
// comes back.
var ErrInput = errors.New("jws: cannot be signed")

// Why a token is refused. This is for the log: whoever sent the token learns
// that it is not valid and no more.
var (
	// ErrTooLong says that a token is over MaxToken.
	ErrTooLong = errors.New("jws: token is too long")
	// ErrFormat says that a token is not three segments of base64url, or that
	// a segment is not as an encoder writes it.
	ErrFormat = errors.New("jws: token is not three segments of base64url")
	// ErrHeader says that a header is malformed or brings its own key.
	ErrHeader = errors.New("jws: header is unacceptable")
	// ErrCritical says that a header asks for an extension. None is known.
	ErrCritical = errors.New("jws: header asks for an extension")
	// ErrUnknownKey says that no key has the kid of the header.
	ErrUnknownKey = errors.New("jws: no key has this kid")
	// ErrAlgorithm says that a header names another algorithm than its key's.
	ErrAlgorithm = errors.New("jws: algorithm is not the key's")
	// ErrType says that a token is of another type than the wanted one.
	ErrType = errors.New("jws: token is of another type")
	// ErrSignature says that a signature is not the key's.
	ErrSignature = errors.New("jws: signature does not match")
	// ErrPayload says that a signed payload is not a JSON object as this
	// package reads it.
	ErrPayload = errors.New("jws: payload is unacceptable")
	// ErrClaim says that a claim is missing or has a wrong type or size.
	ErrClaim = errors.New("jws: claim is unacceptable")
	// ErrExpired says that a token's time is over.
	ErrExpired = errors.New("jws: token has expired")
	// ErrNotYet says that a token was issued in the future, or is not valid
	// before a time in the future.
	ErrNotYet = errors.New("jws: token is not valid yet")
	// ErrIssuer says that a token is from another issuer than the wanted one.
	ErrIssuer = errors.New("jws: token is from another issuer")
	// ErrAudience says that a token is not for the wanted audience.
	ErrAudience = errors.New("jws: token is for another audience")
	// ErrKind says that a token is of another kind than the wanted one.
	ErrKind = errors.New("jws: token is of another kind")
)

// What is wrong with JSON. Errors of the header and of the payload wrap one of
// these as well.
var (
	// ErrSyntax says that a text is not one JSON object.
	ErrSyntax = errors.New("not a JSON object")
	// ErrText says that a text is not UTF-8 or has half of a surrogate pair.
	ErrText = errors.New("text is not Unicode")
	// ErrDepth says that a text is nested deeper than 32 levels.
	ErrDepth = errors.New("nested too deeply")
	// ErrMembers says that objects have over 128 members, counting those that
	// are open at once: an object's own and those around it.
	ErrMembers = errors.New("too many members")
	// ErrDuplicate says that an object has a member twice, or two that differ
	// only in case, or one that differs only in case or spelling from one with
	// a meaning. Readers disagree about which of them counts.
	ErrDuplicate = errors.New("member is ambiguous")
)
