// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-otp/caddy-otp/otp"
)

const (
	// maxBatch is how many jobs are committed at once at the most; more wait.
	maxBatch = 512
	// gathering is how long a commit waits for as many jobs as the last one had:
	// its callers are about to come back, and two commits of half of them take
	// longer. A single caller waits for nobody.
	gathering = 300 * time.Microsecond
)

// job is one operation that may write. It decides before it writes, so that
// one that fails has changed nothing.
type job struct {
	ctx  context.Context
	run  func(*step) error
	err  error
	done chan struct{}
}

// step is an operation's view of the database.
type step struct {
	tx     *bbolt.Tx
	now    int64 // Unix time in nanoseconds
	writes int
}

func (x *step) time() time.Time { return time.Unix(0, x.now) }

// after returns the instant a duration from now.
func (x *step) after(d time.Duration) int64 { return x.now + int64(d) }

var errClosed = unavailable(errors.New("store is closed"))

// faultless makes of a fault what a caller can handle.
func faultless(err error) error {
	if errors.Is(err, errFault) {
		return unavailable(err)
	}
	return err
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", otp.ErrUnavailable, err) }

// write has a job committed and returns what it answered once that is on
// disk. When ctx ends it returns: a job that hasn't begun is dropped, one that
// has may still be committed.
func write[T any](ctx context.Context, s *Store, run func(*step) (T, error)) (T, error) {
	var answer, none T
	j := &job{ctx: ctx, done: make(chan struct{})}
	j.run = func(x *step) (err error) {
		answer, err = run(x)
		return err
	}
	if err := s.handIn(j); err != nil {
		return none, err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		return none, unavailable(ctx.Err())
	}
	if j.err != nil {
		return none, j.err
	}
	return answer, nil
}

func (s *Store) handIn(j *job) error {
	if err := j.ctx.Err(); err != nil {
		return unavailable(err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	select {
	case s.jobs <- j:
		return nil
	case <-j.ctx.Done():
		return unavailable(j.ctx.Err())
	}
}

// read runs an operation that doesn't write, on what is committed.
func read[T any](ctx context.Context, s *Store, run func(*step) (T, error)) (answer T, err error) {
	if err := ctx.Err(); err != nil {
		return answer, unavailable(err)
	}
	err = recovered(func() error {
		tx, err := s.db.Begin(false)
		if err != nil {
			return unavailable(err)
		}
		defer tx.Rollback()
		answer, err = run(&step{tx: tx, now: s.now().UnixNano()})
		return err
	})
	return answer, faultless(err)
}

// commitJobs is the goroutine that commits all jobs, until there are no more.
func (s *Store) commitJobs() {
	batch := make([]*job, 0, maxBatch)
	for first := range s.jobs {
		last := len(batch)
		batch = s.gather(append(batch[:0], first), last)
		s.commit(batch)
	}
}

// gather adds to a batch the jobs that wait and, for a moment, those that come
// until there are enough.
func (s *Store) gather(batch []*job, enough int) []*job {
	var over <-chan time.Time
	for len(batch) < maxBatch {
		if len(s.jobs) == 0 {
			if len(batch) >= enough {
				break
			}
			if over == nil {
				over = time.After(gathering)
			}
		}
		select {
		case j, more := <-s.jobs:
			if !more {
				return batch
			}
			batch = append(batch, j)
		case <-over:
			enough = 0
		}
	}
	return batch
}

// commit runs a batch in one transaction. Where one job fails after it has
// written, the others run again without it: there are no savepoints.
func (s *Store) commit(batch []*job) {
	todo := make([]*job, 0, len(batch))
	for _, j := range batch {
		if err := j.ctx.Err(); err != nil {
			j.err = unavailable(err)
			continue
		}
		todo = append(todo, j)
	}
	for len(todo) > 0 {
		var failed *job
		err := recovered(func() (err error) {
			failed, err = s.tryCommit(todo)
			return err
		})
		if err != nil {
			for _, j := range todo {
				j.err = unavailable(err)
			}
			break
		}
		if failed == nil {
			break
		}
		todo = slices.DeleteFunc(todo, func(j *job) bool { return j == failed })
	}
	for _, j := range batch {
		close(j.done)
	}
}

// tryCommit runs jobs in one transaction and commits it where there is
// something to commit. It returns the job that made that impossible.
func (s *Store) tryCommit(jobs []*job) (failed *job, err error) {
	tx, err := s.db.Begin(true)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // does nothing after a commit
	x := &step{tx: tx}
	for _, j := range jobs {
		x.now = s.now().UnixNano()
		before := x.writes
		j.err = faultless(recovered(func() error { return j.run(x) }))
		if j.err != nil && x.writes > before {
			return j, nil
		}
	}
	if x.writes == 0 {
		return nil, nil
	}
	return nil, tx.Commit()
}
