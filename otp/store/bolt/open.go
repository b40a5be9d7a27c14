// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// lockTimeout is how long another process may take to let go of the file, as
// when one follows another.
const lockTimeout = time.Second

// format is the version of what this package keeps in a file.
const format = "1"

var (
	aboutBucket = []byte("caddy-otp")
	formatKey   = []byte("format")
)

// errFault stands for a panic: a file that is torn makes the database panic,
// or fault where it is mapped beyond its end.
var errFault = errors.New("store file can't be read")

func openFile(file string, s settings) (*bbolt.DB, error) {
	directory := filepath.Dir(file)
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := moveAsideIfCorrupt(file, s); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{
		Timeout: lockTimeout,
		// The default scans a list where much is free.
		FreelistType: bbolt.FreelistMapType,
		MaxSize:      s.maxSize,
	})
	if err != nil {
		return nil, explain(file, err)
	}
	if err := recovered(func() error { return prepare(db) }); err != nil {
		return nil, errors.Join(fmt.Errorf("store file %s: %w", file, err), db.Close())
	}
	if err := syncDirectory(directory); err != nil {
		s.logger.Warn("directory of the store can't be synced; a new file may be lost in a power cut",
			slog.String("directory", directory), slog.Any("error", err))
	}
	return db, nil
}

// prepare makes what a new file lacks and refuses files of others.
func prepare(db *bbolt.DB) error {
	return db.Update(func(tx *bbolt.Tx) error {
		about := tx.Bucket(aboutBucket)
		if about == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return errors.New("is another program's database; name a file of its own")
			}
			var err error
			if about, err = tx.CreateBucket(aboutBucket); err != nil {
				return err
			}
			if err := about.Put(formatKey, []byte(format)); err != nil {
				return err
			}
		}
		if got := string(about.Get(formatKey)); got != format {
			return fmt.Errorf("has format %q, and this version reads format %q; use the version that wrote it", got, format)
		}
		for _, name := range bucketNames {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
}

// explain says what to do about a file that can't be opened.
func explain(file string, err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("store file %s is open in another process; stop it, or give each process a file of its own", file)
	case errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("store file %s was written by another version of the database: %w", file, err)
	}
	return fmt.Errorf("store file %s: %w", file, err)
}

// moveAsideIfCorrupt reads all of a file before it is opened for good: what is
// torn makes the database fault at any later time.
func moveAsideIfCorrupt(file string, s settings) error {
	before, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && before.Size() == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if !before.Mode().IsRegular() {
		return fmt.Errorf("store file %s is no regular file; name one that is or isn't there yet", file)
	}
	err = check(file)
	if err == nil {
		return nil
	}
	if !isCorruption(err) {
		return explain(file, err)
	}
	if ours, readErr := wasStore(file); readErr != nil {
		return fmt.Errorf("store: %w", readErr)
	} else if !ours {
		return fmt.Errorf("store file %s is something else's, not a store; name another file", file)
	}
	if now, statErr := os.Stat(file); statErr != nil || !os.SameFile(before, now) {
		return nil // another process was faster, and the name is its new file's
	}
	aside := file + ".corrupt-" + s.now().UTC().Format("20060102T150405.000Z")
	if renameErr := os.Rename(file, aside); renameErr != nil {
		return fmt.Errorf("store file %s is corrupt (%w) and can't be moved aside: %w", file, err, renameErr)
	}
	s.logger.Error("store file was corrupt and is moved aside; codes, throttles, failures and sessions begin anew",
		slog.String("file", file), slog.String("moved_to", aside), slog.Any("error", err))
	return nil
}

// wasStore reports whether a file that can't be read was a database once: one
// of its two meta pages still says so, or it begins as the first does. What
// never was one isn't ours to move.
func wasStore(file string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var first, word [8]byte
	if n, err := f.ReadAt(first[:], 0); n == len(first) && first == [8]byte{} {
		return true, nil // page 0
	} else if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	for _, page := range []int64{0, 4 << 10, 8 << 10, 16 << 10, 64 << 10} {
		n, err := f.ReadAt(word[:4], page+metaMagicOffset)
		if n == 4 && binary.NativeEndian.Uint32(word[:]) == metaMagic {
			return true, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
	}
	return false, nil
}

// A meta page of bbolt has this number behind its page header.
const (
	metaMagic       = 0xED0CDAED
	metaMagicOffset = 16
)

func isCorruption(err error) bool {
	if errors.Is(err, berrors.ErrTimeout) || errors.Is(err, berrors.ErrVersionMismatch) {
		return false
	}
	// What the operating system says is about the machine, not the content.
	_, isPath := errors.AsType[*fs.PathError](err)
	_, isErrno := errors.AsType[syscall.Errno](err)
	return !isPath && !isErrno
}

// check reads every key and value of a file.
func check(file string) error {
	return recovered(func() (err error) {
		db, err := bbolt.Open(file, 0o600, &bbolt.Options{
			Timeout:         lockTimeout,
			ReadOnly:        true,
			PreLoadFreelist: true,
			FreelistType:    bbolt.FreelistMapType,
		})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		return db.View(func(tx *bbolt.Tx) error {
			return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error { return checkBucket(b) })
		})
	})
}

func checkBucket(b *bbolt.Bucket) error {
	var last []byte
	return b.ForEach(func(k, v []byte) error {
		if last != nil && bytes.Compare(k, last) <= 0 {
			return errors.New("keys are out of order")
		}
		last = k
		if v == nil {
			return checkBucket(b.Bucket(k))
		}
		crc32.ChecksumIEEE(v) // reads all of its pages
		return nil
	})
}

// recovered runs f and makes an error of a panic, and of a fault in the
// memory that a file is mapped to.
func recovered(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errFault, r)
		}
	}()
	return f()
}

// syncDirectory puts the name of a new file on disk; syncing the file doesn't.
func syncDirectory(name string) error {
	directory, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
