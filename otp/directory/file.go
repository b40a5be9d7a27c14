// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

const (
	// maxFile is the largest file that is read.
	maxFile = 64 << 20
	// lookInterval is how often a file is looked at.
	lookInterval = 200 * time.Millisecond
	// confirmAfter is when a file is read once more after a change: the
	// timestamps of some file systems are so coarse that a second change of
	// the same length doesn't show in them.
	confirmAfter = 2 * time.Second
	// firstReads is how often a file that changes meanwhile is read at first.
	firstReads = 5
)

// File is a list of people in a file, CSV or JSON by its ending.
//
// It follows the file's changes, also when the file is replaced or a symbolic
// link comes to lead elsewhere. A change is read once two looks in a row, 200
// ms apart, have found the same file of the same size and modification time,
// and counts if these are the same after reading and all of that size was
// read. A file that somebody is still writing is thus left alone as long as
// they don't pause; who writes more slowly puts a new file beside it and
// renames it.
//
// A file that can't be read or has a mistake in it, also an empty one, changes
// nothing: the last good list stays, and the log says so, once for each
// change. A list of nobody that says so (a header without rows, or []) is
// good: removing the last person must work too.
type File struct {
	path    string
	parse   func([]byte) (*list, error)
	logger  *slog.Logger
	current atomic.Pointer[list]
	cancel  context.CancelFunc

	// What follows is the looking goroutine's.
	seen    os.FileInfo // what the last look found, or nil
	judged  os.FileInfo // what was read last, or nil
	confirm time.Time   // when to read that again, or zero
	sum     [sha256.Size]byte
	verdict error // on the content with that sum
	lost    int   // how many looks couldn't read it since one could
}

// CheckPath refuses the names of files whose format isn't known.
func CheckPath(path string) error {
	_, err := parserOf(path)
	return err
}

func parserOf(path string) (func([]byte) (*list, error), error) {
	if path == "" {
		return nil, errors.New("directory file has no path; write `directory file <path>`")
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv":
		return parseCSV, nil
	case ".json":
		return parseJSON, nil
	}
	return nil, fmt.Errorf("directory file %s: the format isn't known; write a file whose name ends in .csv or .json", path)
}

// OpenFile reads a file for the first time. Where it can't be read or has a
// mistake in it there is no directory. Start makes it follow changes.
func OpenFile(path string, logger *slog.Logger) (*File, error) {
	parse, err := parserOf(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, parse: parse, logger: logger}
	data, info, err := f.readFirst()
	if err != nil {
		return nil, fmt.Errorf("directory file %s: %w", path, err)
	}
	f.take(data, info, time.Now())
	if f.verdict != nil {
		return nil, fmt.Errorf("directory file %s: %w", path, f.verdict)
	}
	f.tell()
	return f, nil
}

// readFirst reads a file at once, since there is no list to go on with.
func (f *File) readFirst() (data []byte, info os.FileInfo, err error) {
	for range firstReads {
		if info, err = f.stat(); err != nil {
			return nil, nil, err
		}
		if data, err = f.read(info); !errors.Is(err, errChanging) {
			return data, info, err
		}
	}
	return nil, nil, err
}

// Start begins to follow the file's changes, in the background. ticks say when
// to look; nil: every 200 ms.
func (f *File) Start(ticks <-chan time.Time) {
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	go func() {
		if ticks == nil {
			ticker := time.NewTicker(lookInterval)
			defer ticker.Stop()
			ticks = ticker.C
		}
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticks:
				if ctx.Err() != nil {
					return
				}
				f.look(now)
			}
		}
	}()
}

// Stop ends what Start began. It doesn't wait: a network file system may hold
// up a look for minutes.
func (f *File) Stop() {
	if f.cancel != nil {
		f.cancel()
	}
}

// Find looks an address up in memory.
func (f *File) Find(_ context.Context, a otp.Address) (otp.Person, error) {
	if p, ok := f.current.Load().find(a); ok {
		return p, nil
	}
	return otp.Person{}, otp.ErrNobody
}

// look reads the file if it has changed and is at rest.
func (f *File) look(now time.Time) {
	info, err := f.stat()
	if err != nil {
		f.unreadable(err)
		return
	}
	atRest := f.seen != nil && same(f.seen, info)
	f.seen = info
	if !atRest {
		return
	}
	if f.judged != nil && same(f.judged, info) && (f.confirm.IsZero() || now.Before(f.confirm)) {
		return
	}
	data, err := f.read(info)
	switch {
	case errors.Is(err, errChanging):
		f.seen = nil
	case err != nil:
		f.unreadable(err)
	default:
		wasLost := f.lost > 1
		f.lost = 0
		if f.take(data, info, now) || wasLost {
			f.tell()
		}
	}
}

// unreadable takes note that the file can't be read. A single time may be
// between its removal and its replacement.
func (f *File) unreadable(err error) {
	f.seen, f.judged = nil, nil
	if f.lost++; f.lost == 2 {
		f.logger.Error("directory file can't be read; the last good list stays",
			slog.String("file", f.path), slog.Any("error", err))
	}
}

// take judges what was read, and reports whether it is anything new.
func (f *File) take(data []byte, info os.FileInfo, now time.Time) bool {
	again := f.judged != nil && same(f.judged, info)
	f.judged, f.confirm = info, time.Time{}
	if !again {
		f.confirm = now.Add(confirmAfter)
	}
	sum := sha256.Sum256(data)
	if sum == f.sum {
		return false
	}
	people, err := f.parse(data)
	f.sum, f.verdict = sum, err
	if err == nil {
		f.current.Store(people)
	}
	return true
}

// tell logs what has become of the file.
func (f *File) tell() {
	people := len(f.current.Load().people)
	level := slog.LevelInfo
	switch {
	case f.verdict != nil:
		f.logger.Error("directory file has a mistake in it; the last good list stays",
			slog.String("file", f.path), slog.Any("error", f.verdict), slog.Int("people", people))
		return
	case people == 0:
		level = slog.LevelWarn // nobody can sign in
	}
	f.logger.Log(context.Background(), level, "directory file was read", slog.String("file", f.path), slog.Int("people", people))
}

func (f *File) stat() (os.FileInfo, error) {
	info, err := os.Stat(f.path)
	switch {
	case err != nil:
		return nil, pathless(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file; write the path of a file")
	case info.Size() > maxFile:
		return nil, fmt.Errorf("it has %d MiB, more than %d; ask a service instead, with `directory http`", info.Size()>>20, maxFile>>20)
	}
	return info, nil
}

var errChanging = errors.New("it changes while it is read; try again once it is written")

// read returns what is in the file, all of it, if it is the one of info still.
func (f *File) read(info os.FileInfo) ([]byte, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, pathless(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, pathless(err)
	}
	opened, err := file.Stat()
	if err != nil {
		return nil, pathless(err)
	}
	named, err := os.Stat(f.path)
	if err != nil || !same(info, opened) || !same(info, named) || int64(len(data)) != info.Size() {
		return nil, errChanging
	}
	return data, nil
}

// pathless is a failure without the path, which is told beside it.
func pathless(err error) error {
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		return failed.Err
	}
	return err
}

// same reports whether two looks found one file, unchanged.
func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

var _ otp.Directory = (*File)(nil)
