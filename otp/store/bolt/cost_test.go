// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestCosts holds what people cost the file, to the byte: what the entries of
// a challenge, a message and a session take in its pages.
func TestCosts(t *testing.T) {
	const people = 1000
	s := open(t, filepath.Join(t.TempDir(), "otp.db"))
	everybody := func(do func(name string) (otp.Outcome, error), want otp.Result) {
		t.Helper()
		var running sync.WaitGroup
		for n := range people {
			running.Go(func() {
				if o, err := do(fmt.Sprintf("%022d", n)); err != nil || o.Result != want {
					t.Errorf("result is %d (%v), want %d", o.Result, err, want)
				}
			})
		}
		running.Wait()
	}
	tag := func(secret, name string) otp.Tag { return otp.Tag(secret + name[len(secret):]) }
	var before map[string]int
	costs := func(what string, most map[string]int) {
		t.Helper()
		now := inuse(t, s)
		total := 0
		for bucket, bytes := range now {
			grown := (bytes - before[bucket]) / people
			if grown > most[bucket] {
				t.Errorf("%s takes %d bytes of %s; at most %d", what, grown, bucket, most[bucket])
			}
			total += grown
		}
		t.Logf("%s takes %d bytes", what, total)
		before = now
	}

	everybody(func(name string) (otp.Outcome, error) {
		c := startOf(name)
		c.Code, c.Link = tag("code", name), tag("link", name)
		m := messageOf(name)
		m.Sealed = []byte(strings.Repeat("sealed", 100))
		return s.Start(t.Context(), c, m, chargesOf(name, 5)...)
	}, otp.Accepted)
	costs("a challenge with its message and throttles", map[string]int{
		"handles": 250, "throttles": 80, "outbox": 750, "due": 80, "expiries": 200,
	})
	everybody(func(name string) (otp.Outcome, error) {
		g := guessOf(name, tag("code", name))
		g.Account = "07account" + name
		x := sessionOf(name)
		x.ID = otp.SessionID("07" + strings.Repeat(name, 2)[:43])
		x.Sealed, x.Refresh = []byte(strings.Repeat("sealed", 40)), tag("refresh", name)
		return s.Verify(t.Context(), g, x)
	}, otp.Verified)
	costs("a session with its account", map[string]int{
		"handles": 120, "accounts": 80, "sessions": 500, "owned": 90, "expiries": 150,
	})
}

// inuse is what the entries of each bucket take.
func inuse(t *testing.T, s *Store) map[string]int {
	t.Helper()
	bytes := make(map[string]int)
	err := s.db.View(func(tx *bbolt.Tx) error {
		for _, name := range bucketNames {
			bytes[string(name)] = tx.Bucket(name).Stats().LeafInuse
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}
