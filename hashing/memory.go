package hashing

import (
	"runtime/debug"
	"runtime/metrics"
)

const (
	// largeBlock is from where on the memory of one hash is worth giving back at
	// once, in bytes.
	largeBlock = 32 << 20
	// largeHeap is how many such blocks a heap has to hold to be left alone:
	// collecting it would cost more than it yields.
	largeHeap = 4
)

// collect gives the memory of a hash that has ended back to the system.
// Otherwise the blocks of several hashes lie dead beside the one in use until
// the collector finds them, and even then the next one may not fit where they
// were: a server that was given room for one is killed for three.
func collect(block uint64) {
	if block < largeBlock {
		return
	}
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(heap)
	if heap[0].Value.Kind() == metrics.KindUint64 && heap[0].Value.Uint64() < largeHeap*block {
		debug.FreeOSMemory()
	}
}
