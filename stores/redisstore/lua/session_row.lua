-- The field of a session that changes: its digest, when it was renamed, when it was last seen, when it
-- expires and until when the indexes of its owners have it, in microseconds; the size of its keys; its
-- generation; the call that created or renamed it; and its owners, which NUL separates.
local ROW, HEAD = '>c32i8i8i8i8I4I4c12', 84
