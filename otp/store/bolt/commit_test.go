// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-otp/caddy-otp/otp"
)

// commits returns how many transactions were committed so far.
func commits(t testing.TB, s *Store) (n int) {
	t.Helper()
	if err := s.db.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// hold keeps the committer busy until the function that it returns is called.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	begun, end := make(chan struct{}), make(chan struct{})
	var held sync.WaitGroup
	held.Go(func() {
		_, err := write(context.Background(), s, func(*step) (struct{}, error) {
			close(begun)
			<-end
			return struct{}{}, nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-begun
	return func() { close(end); held.Wait() }
}

// waiting returns once n jobs wait for the committer.
func waiting(s *Store, n int) {
	for len(s.jobs) < n {
		runtime.Gosched()
	}
}

func TestWhatWaitsIsCommittedTogether(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "otp.db"))
	before := commits(t, s)
	release := hold(t, s)
	var starting sync.WaitGroup
	for _, name := range names(300) {
		starting.Go(func() {
			o, err := s.Start(t.Context(), startOf(name), messageOf(name))
			if err != nil || o.Result != otp.Accepted {
				t.Errorf("start: result is %d (%v)", o.Result, err)
			}
		})
	}
	waiting(s, 300)
	release()
	starting.Wait()
	if n := commits(t, s) - before; n != 1 {
		t.Fatalf("300 starts took %d transactions, want 1", n)
	}
}

// TestGather waits for as many jobs as there were, for a moment, and for no more.
func TestGather(t *testing.T) {
	for _, tc := range []struct {
		name           string
		enough, at     int // how many are there at once
		later          []time.Duration
		want           int
		after          time.Duration
		closedWhenDone bool
	}{
		{name: "a single caller waits for nobody", enough: 1, at: 1, want: 1},
		{name: "as many as there were", enough: 3, at: 1, later: []time.Duration{10 * time.Microsecond, 20 * time.Microsecond, 30 * time.Microsecond}, want: 3, after: 20 * time.Microsecond},
		{name: "fewer, after a moment", enough: 3, at: 2, want: 2, after: gathering},
		{name: "not those that come too late", enough: 3, at: 1, later: []time.Duration{10 * time.Microsecond, 2 * gathering}, want: 2, after: gathering},
		{name: "all that wait", enough: 2, at: 5, want: 5},
		{name: "no more than fit", enough: 2, at: maxBatch + 1, want: maxBatch},
		{name: "a store that closes", enough: 3, at: 1, want: 1, closedWhenDone: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &Store{jobs: make(chan *job, maxBatch)}
			for range tc.at - 1 {
				s.jobs <- new(job)
			}
			if tc.closedWhenDone {
				close(s.jobs)
			}
			for _, wait := range tc.later {
				time.AfterFunc(wait, func() { s.jobs <- new(job) })
			}
			began := time.Now()
			batch := s.gather([]*job{new(job)}, tc.enough)
			if took := time.Since(began); len(batch) != tc.want || took != tc.after {
				t.Errorf("%s: %d jobs after %v, want %d after %v", tc.name, len(batch), took, tc.want, tc.after)
			}
		})
	}
}

func TestWhatDoesNotWriteIsNotCommitted(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "otp.db"))
	charges := chargesOf(client, 1)
	mustStart(t, s, "alice", otp.Accepted, charges...)
	before := commits(t, s)
	mustStart(t, s, "alice", otp.Throttled, charges...)
	mustVerify(t, s, "nobody", "wrong", otp.Wrong)
	if _, err := s.Get(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Revocations(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(t.Context(), []string{"realm"}, 10, time.Minute); err != nil {
		t.Fatal(err)
	}
	if swapped, err := s.Swap(t.Context(), "key", []byte("x"), []byte("y"), 0); err != nil || swapped {
		t.Fatalf("swapped is %t (%v)", swapped, err)
	}
	if n := commits(t, s) - before; n != 0 {
		t.Fatalf("%d transactions were committed, want none", n)
	}
}

func TestAJobThatFailsIsAlone(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "otp.db"))
	put := func(x *step) error { return x.put(records, []byte("key"), never, []byte("value")) }
	failure := errors.New("failed")
	for _, test := range []struct {
		name string
		run  func(x *step) error
		want error
	}{
		{"error", func(*step) error { return failure }, failure},
		{"error after a write", func(x *step) error { return errors.Join(put(x), failure) }, failure},
		{"panic", func(*step) error { panic("failed") }, otp.ErrUnavailable},
		{"panic after a write", func(x *step) error { put(x); panic("failed") }, otp.ErrUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			release := hold(t, s)
			var running sync.WaitGroup
			running.Go(func() { mustStart(t, s, "before "+test.name, otp.Accepted) })
			waiting(s, 1)
			running.Go(func() {
				_, err := write(t.Context(), s, func(x *step) (struct{}, error) { return struct{}{}, test.run(x) })
				if !errors.Is(err, test.want) {
					t.Errorf("error is %v, want %v", err, test.want)
				}
			})
			waiting(s, 2)
			running.Go(func() { mustStart(t, s, "after "+test.name, otp.Accepted) })
			waiting(s, 3)
			release()
			running.Wait()
			mustVerify(t, s, "before "+test.name, "right", otp.Verified)
			mustVerify(t, s, "after "+test.name, "right", otp.Verified)
			if value, err := s.Get(t.Context(), "key"); err != nil || value != nil {
				t.Errorf("record is %q (%v), want none", value, err)
			}
		})
	}
}

func TestWhoLeavesIsNotWaitedFor(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "otp.db"))
	release := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error)
	go func() {
		_, err := s.Start(ctx, startOf("alice"), nil)
		answer <- err
	}()
	waiting(s, 1)
	cancel()
	if err := <-answer; !errors.Is(err, otp.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want ErrUnavailable and Canceled", err)
	}
	release()
	mustVerify(t, s, "alice", "right", otp.Wrong)
}

func TestFullDiskIsUnavailable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "otp.db")
	bounded := func(s *settings) { s.maxSize = 1 << 20 }
	s := open(t, file, bounded)
	mustStart(t, s, "alice", otp.Accepted)
	mustVerify(t, s, "alice", "wrong", otp.Wrong)
	large := []byte(strings.Repeat("x", 100_000))
	var err error
	for i, name := range names(100) {
		if _, err = s.Swap(t.Context(), name, nil, large, 0); err != nil {
			if i == 0 {
				t.Fatal("nothing could be written")
			}
			break
		}
	}
	if !errors.Is(err, otp.ErrUnavailable) {
		t.Fatalf("error is %v, want ErrUnavailable", err)
	}
	// What was answered is still there, and small things still fit.
	if value, err := s.Get(t.Context(), names(1)[0]); err != nil || len(value) != len(large) {
		t.Fatalf("record has %d bytes (%v), want %d", len(value), err, len(large))
	}
	mustVerify(t, s, "alice", "right", otp.Verified)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, open(t, file), "alice", "right", otp.Wrong)
	wantAside(t, file, 0)
}

func TestClose(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "otp.db"))
	release := hold(t, s)
	var starting sync.WaitGroup
	starting.Go(func() { mustStart(t, s, "alice", otp.Accepted) })
	waiting(s, 1)
	starting.Go(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	release()
	starting.Wait() // what waited was committed
	if err := s.Close(); err != nil {
		t.Fatalf("closing again: %v", err)
	}
	if _, err := s.Start(t.Context(), startOf("bob"), nil); !errors.Is(err, otp.ErrUnavailable) {
		t.Errorf("start: error is %v, want ErrUnavailable", err)
	}
	if _, err := s.Get(t.Context(), "key"); !errors.Is(err, otp.ErrUnavailable) {
		t.Errorf("get: error is %v, want ErrUnavailable", err)
	}
	mustVerify(t, open(t, s.file), "alice", "right", otp.Verified)
}
