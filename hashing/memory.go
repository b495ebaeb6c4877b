package hashing

import (
	"runtime/debug"
	"runtime/metrics"
)

const (
	// largeBlock is the smallest memory of one hash, in bytes, that is returned
	// to the system at once.
	largeBlock = 32 << 20
	// largeHeap is the size of a heap, in such blocks, from which on nothing is
	// returned. Collecting a heap that large costs too much.
	largeHeap = 4
)

// collect returns the memory of a finished hash to the operating system.
// Otherwise the blocks of several hashes stay allocated until the garbage
// collector runs, and the next block may not fit into the freed space. A server
// with memory for one hash could then be killed for using the memory of three.
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
