// SPDX-License-Identifier: Apache-2.0

package token

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestVerifiedStillJudged asks again for a token that is remembered to be good.
func TestVerifiedStillJudged(t *testing.T) {
	i, service := newIssuer(t, host)
	x := testSession(t)
	now := x.Created
	i.now = func() time.Time { return now }
	sign := func(audience string) string {
		raw, err := i.SignAccess(t.Context(), x, 10*time.Minute, map[string]any{"aud": audience})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	ours, others := sign(i.URL()), sign("https://api.example.org")
	for range 3 {
		if _, err := i.Authenticate(t.Context(), ours); err != nil {
			t.Fatal(err)
		}
		if _, err := i.Authenticate(t.Context(), others); !errors.Is(err, ErrInvalid) {
			t.Fatalf("a token for somebody else: %v", err)
		}
		if _, err := i.Authenticate(t.Context(), ours+"A"); !errors.Is(err, ErrInvalid) {
			t.Fatalf("an altered token: %v", err)
		}
	}
	if _, known := i.verified.get(ours); !known {
		t.Error("it isn't remembered")
	}
	now = now.Add(10 * time.Minute)
	if _, err := i.Authenticate(t.Context(), ours); !errors.Is(err, ErrExpired) {
		t.Errorf("expired since: %v", err)
	}
	if !i.Issued(t.Context(), ours) {
		t.Error("an expired one is no longer ours")
	}
	now = x.Created
	if err := service.SignOut(t.Context(), x.ID, x.Expires); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Authenticate(t.Context(), ours); !errors.Is(err, otp.ErrNoSession) {
		t.Errorf("revoked since: %v", err)
	}
}

func TestLatelyIsBounded(t *testing.T) {
	var v lately[int]
	v.put("often", 0)
	for n := range 3 * maxLately {
		v.put(fmt.Sprint(n), 0)
		if _, known := v.get("often"); !known {
			t.Fatalf("who comes often is forgotten after %d others", n)
		}
	}
	if n := len(v.young) + len(v.old); n > maxLately {
		t.Errorf("%d are remembered", n)
	}
	if _, known := v.get("0"); known {
		t.Error("nothing is forgotten")
	}
}
