package filestore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync/atomic"

	"github.com/ginauth/ginauth/stores"
)

// shards is the number of folders of rows, and the number of folders of owners.
const shards = 256

const digits = "0123456789abcdef"

func shardName(shard int) string   { return string([]byte{digits[shard>>4], digits[shard&0xf]}) }
func rowFolder(shard int) string   { return "rows/" + shardName(shard) }
func ownerFolder(shard int) string { return "owners/" + shardName(shard) }

// rowName is a valid name of a row. No other name becomes part of a path.
type rowName string

// parseRow returns the name as a rowName, or false if it is not 32 hexadecimal digits in
// lower case.
func parseRow(name string) (rowName, bool) {
	if len(name) != 32 || !isHex(name) {
		return "", false
	}
	return rowName(name), true
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func (r rowName) shard() int { return value(r[0])<<4 | value(r[1]) }

func (r rowName) folder() string { return "rows/" + string(r[:2]) }
func (r rowName) path() string   { return r.folder() + "/" + string(r) }

// temp is the file in which a record is written before the file is renamed. The holder of
// the row's lock may remove it, because nobody else can be writing it.
func (r rowName) temp() string { return r.path() + tempSuffix }

const tempSuffix = ".tmp"

// value returns the value of a hexadecimal digit.
func value(c byte) int {
	if c <= '9' {
		return int(c - '0')
	}
	return int(c-'a') + 10
}

// read returns a row.
func (s *Sessions) read(row rowName) (stores.Session, bool, error) {
	f, err := s.root.OpenFile(row.path(), openFlags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return stores.Session{}, false, s.missing(row.folder())
	}
	if err != nil {
		return stores.Session{}, false, err
	}
	defer f.Close() // reads only
	info, err := f.Stat()
	if err != nil {
		return stores.Session{}, false, err
	}
	if !info.Mode().IsRegular() || info.Size() > int64(maxRecord) {
		return stores.Session{}, false, corrupt(string(row), "not a file, or too large")
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return stores.Session{}, false, err
	}
	session, err := decode(string(row), data)
	return session, err == nil, err
}

// missing is called when a folder of rows or owners, or a file in it, does not exist. It
// returns nil if the row or owner really does not exist, and an error if the whole
// directory is missing, because it was removed or is not mounted.
func (s *Sessions) missing(folder string) error {
	_, err := s.root.Stat(path.Dir(folder))
	return err
}

// exists reports whether there is a file, or anything else, for a row.
func (s *Sessions) exists(row rowName) (bool, error) {
	_, err := s.root.Lstat(row.path())
	if errors.Is(err, fs.ErrNotExist) {
		return false, s.missing(row.folder())
	}
	return err == nil, err
}

// write replaces the record of a row durably. The row's lock is held.
func (s *Sessions) write(row rowName, data []byte) error {
	err := s.within(row.folder(), &s.rowsMade[row.shard()], func() error { return s.writeTemp(row, data) })
	if err != nil {
		return err
	}
	if err := s.root.Rename(row.temp(), row.path()); err != nil {
		return errors.Join(err, s.root.Remove(row.temp()))
	}
	return s.sync(row.folder())
}

// within calls create, which creates a file in a folder. If this handle has not created
// the folder before, within first creates it and flushes its parent. It also flushes for
// a folder that exists, because a process may have been killed between the two steps.
func (s *Sessions) within(folder string, made *atomic.Bool, create func() error) error {
	for {
		known := made.Load()
		if !known {
			if err := s.makeFolder(folder); err != nil {
				return err
			}
			if err := s.sync(path.Dir(folder)); err != nil {
				return err
			}
			made.Store(true)
		}
		err := create()
		if !known || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// Somebody has removed the folder, so create it again.
		made.Store(false)
	}
}

func (s *Sessions) makeFolder(name string) error {
	err := s.root.Mkdir(name, 0o700)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := s.root.Lstat(name)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s in %s is not a directory", name, s.root.Name())
	}
	return err
}

// writeTemp writes and flushes a new file. If it fails, it removes the file.
func (s *Sessions) writeTemp(row rowName, data []byte) (err error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := s.root.OpenFile(row.temp(), flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		// A process was killed while it wrote this file.
		if err := s.root.Remove(row.temp()); err != nil {
			return err
		}
		f, err = s.root.OpenFile(row.temp(), flags, 0o600)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, s.root.Remove(row.temp()))
	}
	return nil
}

// remove removes a file and reports whether there was one.
func (s *Sessions) remove(path string) (existed bool, err error) {
	err = s.root.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// sync flushes a folder, which makes durable that files in it were created, renamed or
// removed.
func (s *Sessions) sync(folder string) error {
	return syncFolder(s.root.Open(folder))
}

// syncFolder flushes and closes an open folder.
func syncFolder(f *os.File, err error) error {
	if err != nil {
		return err
	}
	if posix {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// names returns the names in a folder of rows or owners, unordered.
func (s *Sessions) names(folder string) ([]string, error) {
	f, err := s.root.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.missing(folder)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() // reads only
	return f.Readdirnames(-1)
}
