// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// TestLongestSession: a sign-out everywhere is remembered for as long as any
// session could still last.
func TestLongestSession(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		session, refresh, access, want time.Duration
	}{
		{0, 0, 0, 30 * day},
		{90 * day, 0, 0, 90 * day},
		{0, 60 * day, 0, 60 * day},
		{time.Hour, time.Hour, 0, day}, // auth0's tokens
		{time.Hour, time.Hour, 2 * time.Hour, 2 * time.Hour},
		{0, 0, 100 * day, 100 * day},
	} {
		h := &Handler{Options: Options{
			Session: &Session{Lifetime: caddy.Duration(c.session)},
			Token:   &Token{Refresh: caddy.Duration(c.refresh), Lifetime: caddy.Duration(c.access)},
		}}
		if got := h.longestSession(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if got := new(Handler).longestSession(); got != defaultRefresh {
		t.Errorf("by default %s", got)
	}
}
