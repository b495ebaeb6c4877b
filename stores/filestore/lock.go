package filestore

import (
	"context"
	"os"
	"time"
)

// locks holds a lock for each shard of rows, between goroutines by a channel
// and between processes by a file. The files are never removed: whoever locked a
// removed one would be alone with it.
type locks struct {
	root  *os.Root
	turns [shards]chan struct{}
}

func (l *locks) init(root *os.Root) {
	l.root = root
	for i := range l.turns {
		l.turns[i] = make(chan struct{}, 1)
	}
}

// lock waits for the lock of a shard until the context ends.
func (l *locks) lock(ctx context.Context, shard int) (unlock func(), err error) {
	select {
	case l.turns[shard] <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f, err := l.lockFile(ctx, "locks/"+shardName(shard))
	if err != nil {
		<-l.turns[shard]
		return nil, err
	}
	return func() {
		closeLock(f)
		<-l.turns[shard]
	}, nil
}

// lockFile locks a shard against other processes. Whoever comes next takes its
// place at the gate and waits there for the lock. A process that has just let go
// comes to the gate behind it, so that none keeps the lock to itself.
func (l *locks) lockFile(ctx context.Context, name string) (*os.File, error) {
	gate, err := l.wait(ctx, name+".gate")
	if err != nil {
		return nil, err
	}
	defer closeLock(gate)
	return l.wait(ctx, name)
}

// Limits of the time between two tries for a lock that another process holds.
// It is held for as long as two or three flushes take.
const (
	minWait = 100 * time.Microsecond
	maxWait = 5 * time.Millisecond
)

// wait locks a file. There is no call that waits for a lock and obeys a
// context, so it tries at intervals.
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

// try locks a file, and returns nil if another holds it.
func (l *locks) try(name string) (*os.File, error) {
	f, err := l.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	locked, err := tryLock(f)
	if err == nil && locked {
		// Somebody who tidied up may have removed the file before it was
		// locked. The lock is then on a file that others do not see.
		locked, err = l.inPlace(f, name)
	}
	if err != nil || !locked {
		closeLock(f)
		return nil, err
	}
	return f, nil
}

// inPlace reports whether f is the file of that name.
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

// closeLock lets go of a lock. It does so before it closes the file, because a
// process that is being started may hold a copy for a moment.
func closeLock(f *os.File) {
	// A lock ends with its file at the latest, and nothing was written to it.
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
