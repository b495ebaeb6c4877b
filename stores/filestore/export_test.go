package filestore

// Functions of this package for its tests.
var (
	Encode = encode
	Decode = decode
	Seal   = seal
)
