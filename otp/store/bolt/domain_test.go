// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

const client = "client"

func startOf(name string) otp.Challenge {
	return otp.Challenge{
		Handle:   otp.Handle("07" + name),
		Group:    "group",
		Code:     "right",
		Lifetime: 10 * time.Minute,
		Attempts: 5,
		Keep:     1,
	}
}

func guessOf(name string, tag otp.Tag) otp.Guess {
	return otp.Guess{
		Handle:  otp.Handle("07" + name),
		Group:   "group",
		Account: "07account " + name,
		Tags:    []otp.Tag{tag},
	}
}

func sessionOf(name string) otp.SessionRecord {
	return otp.SessionRecord{
		ID:       otp.SessionID("07session " + name),
		Owner:    "owner",
		Sealed:   []byte("sealed"),
		Refresh:  "refresh",
		Lifetime: 24 * time.Hour,
	}
}

func messageOf(name string) *otp.Envelope {
	return &otp.Envelope{
		ID:       "message " + name,
		Realm:    "realm",
		Sealed:   []byte("sealed"),
		Lifetime: 10 * time.Minute,
		Lease:    15 * time.Second,
	}
}

func chargesOf(name string, events int) []otp.Charge {
	return []otp.Charge{
		{Scope: otp.ScopeClientIP, Bucket: name, Throttle: otp.Throttle{Events: events, Window: time.Hour}},
		{Scope: otp.ScopeAddress, Throttle: otp.Throttle{Events: events, Window: time.Hour}},
	}
}

// mustStart starts and checks the result.
func mustStart(t testing.TB, s *Store, name string, want otp.Result, charges ...otp.Charge) {
	t.Helper()
	o, err := s.Start(t.Context(), startOf(name), messageOf(name), charges...)
	if err != nil || o.Result != want {
		t.Fatalf("start: result is %d (%v), want %d", o.Result, err, want)
	}
}

// mustVerify guesses and checks the result.
func mustVerify(t testing.TB, s *Store, name string, tag otp.Tag, want otp.Result) {
	t.Helper()
	o, err := s.Verify(t.Context(), guessOf(name, tag), sessionOf(name))
	if err != nil || o.Result != want {
		t.Fatalf("verify: result is %d (%v), want %d", o.Result, err, want)
	}
}

func names(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("p%06d", i)
	}
	return names
}
