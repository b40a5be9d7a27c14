// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/store/bolt"
)

func init() { caddy.RegisterModule(BoltStore{}) }

// BoltStore keeps everything in one file on this machine. It is the default
// and serves one Caddy; several need a Redis.
type BoltStore struct {
	// The file. Default: `otp/otp.db` in Caddy's data folder. A deployment
	// that configures no secret has one beside it, in a file whose name
	// ends in `.secret`: back up both or neither.
	File string `json:"file,omitempty"`

	path string
}

// boltTimeout is generous: a disk that is slow is still there.
const boltTimeout = 5 * time.Second

// CaddyModule returns the Caddy module information.
func (BoltStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: storeNamespace + ".bolt", New: func() caddy.Module { return new(BoltStore) }}
}

// Provision finds the file's place. It doesn't open it.
func (s *BoltStore) Provision(caddy.Context) error {
	file, err := replaced(caddy.NewReplacer(), "store bolt", s.File)
	if err != nil {
		return err
	}
	if file == "" {
		file = filepath.Join(caddy.AppDataDir(), "otp", "otp.db")
	}
	if file, err = filepath.Abs(file); err != nil {
		return fmt.Errorf("store bolt: %w", err)
	}
	// Two names of one file are one store.
	if real, err := filepath.EvalSymlinks(filepath.Dir(file)); err == nil {
		file = filepath.Join(real, filepath.Base(file))
	}
	s.path = file
	return nil
}

// Identity is the file.
func (s *BoltStore) Identity() string { return "bolt " + s.path }

// Patience is how long an operation may take.
func (*BoltStore) Patience() time.Duration { return boltTimeout }

func (s *BoltStore) secretFile() string { return s.path + ".secret" }

// Secret reads the secret beside the file, or makes a new one.
func (s *BoltStore) Secret() ([]byte, error) {
	secret, err := os.ReadFile(s.secretFile())
	switch {
	case err == nil && len(secret) >= otp.MinSecretLength:
		return secret, nil
	case err == nil:
		return nil, fmt.Errorf("%s is damaged: a secret has at least %d bytes; restore it, or remove it together with the database", s.secretFile(), otp.MinSecretLength)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the secret beside the database: %w", err)
	}
	random := make([]byte, otp.MinSecretLength)
	rand.Read(random)
	return []byte(base64.RawURLEncoding.EncodeToString(random)), nil
}

// Keep writes the secret beside the file, for its owner only: whole or, where
// the machine fails meanwhile, not at all.
func (s *BoltStore) Keep(secret []byte) error {
	if err := s.keep(secret); err != nil {
		return fmt.Errorf("the secret beside the database: %w", err)
	}
	return nil
}

func (s *BoltStore) keep(secret []byte) error {
	dir := filepath.Dir(s.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(dir, filepath.Base(s.secretFile())+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	_, err = draft.Write(secret)
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	err = os.Link(draft.Name(), s.secretFile())
	if err == nil {
		return nil
	}
	kept, readErr := os.ReadFile(s.secretFile())
	switch {
	case readErr == nil && string(kept) == string(secret):
		return nil
	case readErr == nil:
		return errors.New("another process made one meanwhile; start again")
	case errors.Is(readErr, fs.ErrNotExist): // a file system without links
		return os.Rename(draft.Name(), s.secretFile())
	}
	return readErr
}

// Open opens the database.
func (s *BoltStore) Open(logger *slog.Logger) (OpenStore, error) {
	return bolt.Open(s.path, bolt.WithLogger(logger))
}

// UnmarshalCaddyfile reads
//
//	bolt [<file>]
func (s *BoltStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the store's name
	args := d.RemainingArgs()
	if len(args) > 1 {
		return usage(d, "store bolt", "[<file>]")
	}
	if len(args) == 1 {
		s.File = args[0]
	}
	return noBlock(d, "store bolt")
}

// Interface guards
var (
	_ Store                 = (*BoltStore)(nil)
	_ caddy.Provisioner     = (*BoltStore)(nil)
	_ caddyfile.Unmarshaler = (*BoltStore)(nil)
)
