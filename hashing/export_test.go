package hashing

// Recode decodes a PHC hash and encodes it again. It returns the cost of
// verifying the hash, as the number of bytes of memory that are passed over.
func Recode(encoded string) (again string, work int64, err error) {
	if (Scrypt{}).Recognizes(encoded) {
		h, err := decodeScrypt(encoded)
		if err != nil {
			return "", 0, err
		}
		return scryptLayout.encode(h), 128 * h.costs[1] * h.costs[2] << h.costs[0], nil
	}
	h, err := decodeArgon2id(encoded)
	if err != nil {
		return "", 0, err
	}
	return argon2idLayout.encode(h), h.costs[0] * h.costs[1] << 10, nil
}

// InUse returns how many callers run and wait, and of how many clients.
func InUse(m *Manager) (running, waiting, clients int) {
	l := m.limit
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running, l.waiting, len(l.clients) + l.turns.Len() + len(l.levels)
}
