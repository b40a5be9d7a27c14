// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-otp/caddy-otp/otp"
)

// entries counts what is in the file, by bucket.
func entries(t *testing.T, s *Store) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	err := s.db.View(func(tx *bbolt.Tx) error {
		for _, name := range bucketNames {
			if n := tx.Bucket(name).Inspect().KeyN; n > 0 {
				counts[string(name)] = n
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

func sweepAll(t *testing.T, s *Store) {
	t.Helper()
	for {
		n, err := s.sweep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n < sweepLimit {
			return
		}
	}
}

func TestSweepRemovesAllThatExpires(t *testing.T) {
	clock := newClock()
	s := open(t, filepath.Join(t.TempDir(), "otp.db"), WithClock(clock.now))
	mustStart(t, s, "alice", otp.Accepted, chargesOf("a", 2)...)
	mustVerify(t, s, "alice", "right", otp.Verified)
	mustStart(t, s, "bob", otp.Accepted, chargesOf("b", 2)...)
	mustVerify(t, s, "bob", "wrong", otp.Wrong)
	if err := s.Revoke(t.Context(), otp.Revocation{Owner: "subject", Lifetime: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for key, ttl := range map[string]time.Duration{"short": time.Hour, "for ever": 0} {
		if _, err := s.Swap(t.Context(), key, nil, []byte("value"), ttl); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range tables {
		if entries(t, s)[string(table.name)] == 0 {
			t.Fatalf("nothing is in %s", table.name)
		}
	}
	sweepAll(t, s)
	if n := entries(t, s)["handles"]; n != 2 {
		t.Fatalf("the sweep left %d handles that haven't expired, want 2", n)
	}

	clock.advance(25 * time.Hour)
	sweepAll(t, s)
	got := entries(t, s)
	for bucket, want := range map[string]int{
		"handles": 1, "throttles": 0, "accounts": 1, "sessions": 0, "revocations": 0,
		"outbox": 0, "records": 1, "due": 0, "expiries": 1,
	} {
		if got[bucket] != want {
			t.Errorf("%s has %d entries after a day, want %d", bucket, got[bucket], want)
		}
	}
	clock.advance(otp.DisabledFor)
	sweepAll(t, s)
	if got := entries(t, s); len(got) != 2 || got["accounts"] != 1 || got["records"] != 1 {
		t.Errorf("the file has %v after a month, want an account and a record", got)
	}
}

func TestSweepLeavesWhatWasProlonged(t *testing.T) {
	clock := newClock()
	s := open(t, filepath.Join(t.TempDir(), "otp.db"), WithClock(clock.now))
	mustStart(t, s, "alice", otp.Accepted)
	clock.advance(time.Hour)
	if o, err := s.Start(t.Context(), startOf("alice"), nil); err != nil || o.Result != otp.Accepted {
		t.Fatalf("start: result is %d (%v)", o.Result, err)
	}
	clock.advance(15 * time.Minute) // the first would be forgotten now
	sweepAll(t, s)
	if o, err := s.Verify(t.Context(), guessOf("alice", "right"), sessionOf("alice")); err != nil || o.Result != otp.Expired {
		t.Fatalf("result is %d (%v), want Expired", o.Result, err)
	}
	if got := entries(t, s); got["handles"] != 1 || got["expiries"] != 1 || len(got) != 2 {
		t.Fatalf("the file has %v, want a handle and its place in the index", got)
	}
	clock.advance(2 * time.Hour)
	sweepAll(t, s)
	if got := entries(t, s); len(got) != 0 {
		t.Fatalf("the file has %v, want nothing", got)
	}
}

func TestSweepIsBounded(t *testing.T) {
	clock := newClock()
	s := open(t, filepath.Join(t.TempDir(), "otp.db"), WithClock(clock.now))
	s.stopSweep() // that of its own would be counted too
	s.sweeping.Wait()
	fill(t, s, 0, 2*sweepLimit)
	clock.advance(2 * time.Hour)
	before := entries(t, s)["records"]
	swept, err := s.sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	after := entries(t, s)["records"]
	if swept < sweepLimit || swept >= sweepLimit+sweepChunk || before-after != swept {
		t.Fatalf("a tick swept %d (%d are gone), want about %d", swept, before-after, sweepLimit)
	}
}

func TestFileIsReused(t *testing.T) {
	clock := newClock()
	file := filepath.Join(t.TempDir(), "otp.db")
	s := open(t, file, WithClock(clock.now))
	var first int64
	for day := range 5 {
		fill(t, s, day, 1500)
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if day == 0 {
			first = info.Size()
		}
		if info.Size() > 2*first {
			t.Fatalf("the file has %d bytes on day %d, and had %d on the first", info.Size(), day, first)
		}
		clock.advance(24 * time.Hour)
		sweepAll(t, s)
	}
}

// fill writes n records that live for an hour. As with real names, their order
// isn't that in which they expire.
func fill(t testing.TB, s *Store, day, n int) {
	t.Helper()
	value := make([]byte, 200)
	_, err := write(t.Context(), s, func(x *step) (struct{}, error) {
		for i := range n {
			key := fmt.Appendf(nil, "%08x %d", uint32(i)*2654435761, day)
			if err := x.put(records, key, x.after(time.Hour+time.Duration(i)), value); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
