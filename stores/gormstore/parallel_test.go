package gormstore_test

import "sync"

// parallel calls f(0) to f(n-1) at once and waits for all.
func parallel(n int, f func(i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	group.Wait()
}
