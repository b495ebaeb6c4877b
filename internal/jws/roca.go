package jws

import "math/big"

// rocaPrimes are the odd primes that divide the product from which a library of smart cards
// and TPMs made its RSA primes (CVE-2017-15361). With that product M, each prime is
// k·M + (65537^a mod M). So modulo each of these, both primes of a key, and their product,
// are powers of 65537.
var rocaPrimes = [...]uint64{
	3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
	101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
}

// isROCA reports whether an RSA modulus can be factored by the method of CVE-2017-15361. A
// random modulus has the form with a probability of one in 240 million: modulo many of the primes,
// only a part of the residues are powers of 65537.
func isROCA(n *big.Int) bool {
	var prime, residue big.Int
	for _, p := range rocaPrimes {
		r := residue.Mod(n, prime.SetUint64(p)).Uint64()
		if !isPowerOf65537(r, p) {
			return false
		}
	}
	return true
}

// isPowerOf65537 reports whether r is a power of 65537 modulo the prime p.
func isPowerOf65537(r, p uint64) bool {
	generator := 65537 % p
	for power := uint64(1); ; {
		if power == r {
			return true
		}
		if power = power * generator % p; power == 1 {
			return false // all powers have been seen
		}
	}
}
