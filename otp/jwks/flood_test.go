// SPDX-License-Identifier: Apache-2.0

package jwks

import (
	"crypto/elliptic"
	"errors"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// TestFlood: whoever sends signatures by unknown keys all the time hides a new
// key for the length of a pause and no longer: what they have us ask brings it
// too. We ask no more often for them than once a pause.
func TestFlood(t *testing.T) {
	first, second, foreign := rsaKey(t, 2048), ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	p := newPublisher(t, jose.JSONWebKey{Key: first.Public(), KeyID: "a"})
	next := jose.JSONWebKey{Key: second.Public(), KeyID: "b"}
	byNext := sign(t, jose.ES256, second, "b", "x")
	flood := func() {
		t.Helper()
		for _, kid := range []string{"", "b", "unknown"} {
			if _, err := Verify(t.Context(), p, sign(t, jose.ES256, foreign, kid, "x"), algorithms); !errors.Is(err, ErrUnverified) {
				t.Fatal(err)
			}
		}
	}
	const minutes = 3
	for range int(minutes * time.Minute / time.Second) {
		flood()
		p.advance(time.Second)
	}
	p.wantAsked(t, "a flood", int64(minutes*time.Minute/pause))
	p.publish(t, next)
	for waited := time.Duration(0); ; waited += time.Second {
		flood()
		if _, err := Verify(t.Context(), p, byNext, algorithms); err == nil {
			break
		}
		if waited >= pause {
			t.Fatalf("the new key is unknown for %v", waited)
		}
		p.advance(time.Second)
	}
}
