// Package filemail writes messages to files, for development and tests. Mail
// programs can open the files.
//
// The files contain links that give access to accounts, and the package never
// deletes them. Do not use it on a server with real users.
package filemail

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ginauth/ginauth/internal/privatedir"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/mail/internal/compose"
)

// Mailer is a mail.Mailer that writes each message to a new file. It is safe
// for concurrent use, also by several processes.
type Mailer struct {
	dir  string
	from mail.Address
}

var _ mail.Mailer = (*Mailer)(nil)

// New returns a Mailer that writes messages from an address to files in dir. It
// creates the directory if it does not exist. An existing directory must belong to
// the user that the program runs as, and must not be accessible to others: its
// permissions must be 0700 or less. Neither is checked on Windows. The error wraps
// mail.ErrConfig.
func New(dir string, from mail.Address) (*Mailer, error) {
	var faults []error
	if err := from.Check(); err != nil {
		faults = append(faults, fmt.Errorf("%w: from: %w", mail.ErrConfig, err))
	}
	dir, err := makeDir(dir)
	if err != nil {
		faults = append(faults, fmt.Errorf("%w: %w", mail.ErrConfig, err))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &Mailer{dir: dir, from: from}, nil
}

func makeDir(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("dir is empty")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is not a directory", dir)
	}
	if err := privatedir.Check(dir, info); err != nil {
		return "", err
	}
	return dir, nil
}

// Send writes a message to a file with a name like
// 20300102T030405.000000000Z-verify_email-ID.eml, so that file names sort by
// time. The name appears only when the file is complete.
func (m *Mailer) Send(ctx context.Context, message mail.Message) error {
	if message.ID == "" {
		message.ID = rand.Text()
	}
	now := time.Now().UTC()
	// Compose also checks Kind and ID, which become part of the name.
	data, err := compose.Compose(m.from, message, now)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("mail/filemail: %w", err)
	}
	name := now.Format("20060102T150405.000000000Z") + "-" + message.Kind + "-" + message.ID + ".eml"
	if err := write(m.dir, name, data); err != nil {
		return fmt.Errorf("mail/filemail: %w", err)
	}
	return nil
}

func write(dir, name string, data []byte) error {
	// CreateTemp creates a new file with permissions 0600.
	f, err := os.CreateTemp(dir, ".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
