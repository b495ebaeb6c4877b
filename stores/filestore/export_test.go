package filestore

// The codec of records, for tests.
var (
	Encode = encode
	Decode = decode
	Seal   = seal
)
