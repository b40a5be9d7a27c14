// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestDurability kills the process after each answer, as far as the file can
// tell: a copy that is taken then holds what was answered. The same operations
// are followed by a proper close too.
func TestDurability(t *testing.T) {
	clock := newClock()
	file := filepath.Join(t.TempDir(), "otp.db")
	running := open(t, file, WithClock(clock.now))

	for _, step := range []struct {
		name string
		run  func(t *testing.T, s *Store)
		// check may write: it gets a copy.
		check func(t *testing.T, s *Store)
	}{
		{
			"a start",
			func(t *testing.T, s *Store) { mustStart(t, s, "alice", otp.Accepted, chargesOf(client, 1)...) },
			func(t *testing.T, s *Store) {
				mustStart(t, s, "alice", otp.Throttled, chargesOf("another client", 1)...)
				mustStart(t, s, "bob", otp.Throttled, chargesOf(client, 1)...)
				mustVerify(t, s, "alice", "right", otp.Verified)
				clock.advance(time.Minute)
				defer clock.advance(-time.Minute)
				leases, err := s.Claim(t.Context(), []string{"realm"}, 10, time.Minute)
				if err != nil || len(leases) != 1 || leases[0].ID != "message alice" || string(leases[0].Sealed) != "sealed" {
					t.Fatalf("claimed %+v (%v), want alice's message", leases, err)
				}
			},
		},
		{
			"wrong guesses",
			func(t *testing.T, s *Store) {
				for range 4 {
					mustVerify(t, s, "alice", "wrong", otp.Wrong)
				}
			},
			func(t *testing.T, s *Store) {
				mustVerify(t, s, "alice", "wrong", otp.Exhausted)
				mustVerify(t, s, "alice", "right", otp.Exhausted)
			},
		},
		{
			"a settled message",
			func(t *testing.T, s *Store) {
				lease := otp.Lease{Envelope: *messageOf("alice"), Handle: "07alice", Fence: 1}
				if err := s.Settle(t.Context(), otp.Settlement{Lease: lease}); err != nil {
					t.Fatal(err)
				}
			},
			func(t *testing.T, s *Store) {
				clock.advance(time.Minute)
				defer clock.advance(-time.Minute)
				leases, err := s.Claim(t.Context(), []string{"realm"}, 10, time.Minute)
				if err != nil || len(leases) != 0 {
					t.Fatalf("claimed %+v (%v), want none", leases, err)
				}
			},
		},
		{
			"a verification",
			func(t *testing.T, s *Store) { mustVerify(t, s, "alice", "right", otp.Verified) },
			func(t *testing.T, s *Store) {
				mustVerify(t, s, "alice", "right", otp.Wrong)
				r, err := s.Renew(t.Context(), "07session alice", []otp.Tag{"refresh"}, "next")
				if err != nil || string(r.Sealed) != "sealed" || r.Lifetime != 24*time.Hour {
					t.Fatalf("session is %+v (%v)", r, err)
				}
			},
		},
		{
			"a renewal",
			func(t *testing.T, s *Store) {
				if _, err := s.Renew(t.Context(), "07session alice", []otp.Tag{"refresh"}, "next"); err != nil {
					t.Fatal(err)
				}
			},
			func(t *testing.T, s *Store) {
				if _, err := s.Renew(t.Context(), "07session alice", []otp.Tag{"refresh"}, "stolen"); !errors.Is(err, otp.ErrReused) {
					t.Fatalf("error is %v, want ErrReused", err)
				}
			},
		},
		{
			"a revocation",
			func(t *testing.T, s *Store) {
				if err := s.Revoke(t.Context(), otp.Revocation{Session: "07session alice", Lifetime: time.Hour}); err != nil {
					t.Fatal(err)
				}
			},
			func(t *testing.T, s *Store) {
				told, _, err := s.Revocations(t.Context(), 0)
				if err != nil || len(told) != 1 || told[0].Session != "07session alice" || told[0].Lifetime != time.Hour {
					t.Fatalf("revocations are %+v (%v)", told, err)
				}
				if _, err := s.Renew(t.Context(), "07session alice", []otp.Tag{"next"}, "x"); !errors.Is(err, otp.ErrNoSession) {
					t.Fatalf("error is %v, want ErrNoSession", err)
				}
			},
		},
		{
			"a record",
			func(t *testing.T, s *Store) {
				if swapped, err := s.Swap(t.Context(), "key", nil, []byte("value"), time.Hour); err != nil || !swapped {
					t.Fatalf("swapped is %t (%v)", swapped, err)
				}
			},
			func(t *testing.T, s *Store) {
				if got, err := s.Get(t.Context(), "key"); err != nil || string(got) != "value" {
					t.Fatalf("record is %q (%v)", got, err)
				}
			},
		},
	} {
		t.Run(step.name, func(t *testing.T) {
			step.run(t, running)
			killed := copyOf(t, file)
			step.check(t, open(t, killed, WithClock(clock.now)))

			closed := copyOf(t, file)
			if err := open(t, closed, WithClock(clock.now)).Close(); err != nil {
				t.Fatal(err)
			}
			step.check(t, open(t, closed, WithClock(clock.now)))
		})
	}
}

func TestFailuresOutliveARestart(t *testing.T) {
	clock := newClock()
	file := filepath.Join(t.TempDir(), "otp.db")
	for range otp.CoolDownFailures {
		s := open(t, file, WithClock(clock.now))
		mustStart(t, s, "alice", otp.Accepted)
		mustVerify(t, s, "alice", "wrong", otp.Wrong)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	mustVerify(t, open(t, file, WithClock(clock.now)), "alice", "right", otp.CoolingDown)
}

func copyOf(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(killed, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return killed
}
