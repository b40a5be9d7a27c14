// SPDX-License-Identifier: Apache-2.0

// Package bolt is the embedded [otp.Store]: one file, for one process.
//
// All writes go through one goroutine, which commits whatever waits in one
// transaction. An operation is answered once it is on disk, so neither a
// restart nor a power cut forgets what was answered.
package bolt

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Store keeps everything in one file. It is safe for concurrent use.
type Store struct {
	settings
	file string
	db   *bbolt.DB
	jobs chan *job

	// mu is held shared by who hands in a job, so that none is handed in
	// after the last was taken.
	mu     sync.RWMutex
	closed bool

	committing sync.WaitGroup
	sweeping   sync.WaitGroup
	stopSweep  context.CancelFunc
}

var _ otp.Store = (*Store)(nil)

type settings struct {
	now     func() time.Time
	logger  *slog.Logger
	maxSize int // of the file in bytes; 0 is unbounded
}

// Option is a setting of [Open].
type Option func(*settings)

// WithClock makes the store read the time from now instead of [time.Now].
func WithClock(now func() time.Time) Option { return func(s *settings) { s.now = now } }

// WithLogger makes the store report what an admin must know of its file.
// Without it nothing is reported.
func WithLogger(logger *slog.Logger) Option { return func(s *settings) { s.logger = logger } }

// Open opens the store in a file, which it creates (mode 0600, its directory
// 0700) where there is none. It fails within about a second where another
// process has the file open. A file that is corrupt is moved aside, under its
// name and ".corrupt-" and the time, and an empty one is begun.
func Open(file string, options ...Option) (*Store, error) {
	s := &Store{
		settings: settings{now: time.Now, logger: slog.New(slog.DiscardHandler)},
		file:     file,
		jobs:     make(chan *job, maxBatch),
	}
	for _, option := range options {
		option(&s.settings)
	}
	db, err := openFile(file, s.settings)
	if err != nil {
		return nil, err
	}
	s.db = db
	s.committing.Go(s.commitJobs)
	ctx, cancel := context.WithCancel(context.Background())
	s.stopSweep = cancel
	s.sweeping.Go(func() { s.sweepRegularly(ctx) })
	return s, nil
}

// Close commits what waits and closes the file. Operations after it return
// [otp.ErrUnavailable]. Closing again does nothing.
func (s *Store) Close() error {
	s.stopSweep()
	s.sweeping.Wait()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.jobs)
	s.mu.Unlock()
	s.committing.Wait()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", s.file, err)
	}
	return nil
}
