package filestore

import (
	"context"
	"os"
	"time"
)

// locks holds a lock for each shard of rows, or of owners. A channel locks between goroutines, and a
// file between processes. The files are never removed, because other processes would not
// see a lock on a removed file.
type locks struct {
	root  *os.Root
	kind  string // the beginning of the files' names
	turns [shards]chan struct{}
}

func (l *locks) init(root *os.Root, kind string) {
	l.root, l.kind = root, kind
	for i := range l.turns {
		l.turns[i] = make(chan struct{}, 1)
	}
}

// lock acquires the lock of a shard. It waits until the context ends.
func (l *locks) lock(ctx context.Context, shard int) (unlock func(), err error) {
	select {
	case l.turns[shard] <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f, err := l.lockFile(ctx, "locks/"+l.kind+shardName(shard))
	if err != nil {
		<-l.turns[shard]
		return nil, err
	}
	return func() {
		closeLock(f)
		<-l.turns[shard]
	}, nil
}

// lockFile locks a shard against other processes. A process first locks the gate and
// then, while it holds the gate, waits for the lock. A process that has just released the
// lock has to wait at the gate, so that no process keeps the lock to itself.
func (l *locks) lockFile(ctx context.Context, name string) (*os.File, error) {
	gate, err := l.wait(ctx, name+".gate")
	if err != nil {
		return nil, err
	}
	defer closeLock(gate)
	return l.wait(ctx, name)
}

// Limits of the pause between two attempts to get a lock that another process holds.
// Processes hold locks for the duration of two or three flushes.
const (
	minWait = 100 * time.Microsecond
	maxWait = 5 * time.Millisecond
)

// wait locks a file. It tries at intervals, because no system call both waits for a lock
// and obeys a context.
func (l *locks) wait(ctx context.Context, name string) (*os.File, error) {
	for pause := minWait; ; pause = min(2*pause, maxWait) {
		f, err := l.try(name)
		if f != nil || err != nil {
			return f, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// try locks a file. It returns nil if another process holds the lock.
func (l *locks) try(name string) (*os.File, error) {
	f, err := l.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	locked, err := tryLock(f)
	if err == nil && locked {
		// Somebody may have removed the file before it was locked. Then other
		// processes do not see the lock.
		locked, err = l.inPlace(f, name)
	}
	if err != nil || !locked {
		closeLock(f)
		return nil, err
	}
	return f, nil
}

// inPlace reports whether f is still the file with that name.
func (l *locks) inPlace(f *os.File, name string) (bool, error) {
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	theirs, err := l.root.Stat(name)
	if os.IsNotExist(err) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, theirs), err
}

// closeLock releases a lock and closes its file. It releases the lock first, because a
// process that is being started may have a copy of the open file for a moment.
func closeLock(f *os.File) {
	// Closing the file releases the lock as well, and nothing was written to the
	// file, so errors do not matter.
	_ = releaseLock(f)
	_ = f.Close()
}

// supported returns an error if files cannot be locked.
func (l *locks) supported() error {
	f, err := l.try("locks/probe")
	if f != nil {
		closeLock(f)
	}
	return err
}
