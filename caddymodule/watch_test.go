// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-otp/caddy-otp/otp"
)

// learns fails the test unless the store's watch hears of a revocation that
// another node makes now.
func (c running) learns(store *pooledStore, id otp.SessionID) {
	c.t.Helper()
	if err := store.Revoke(c.t.Context(), otp.Revocation{Session: id, Lifetime: time.Hour}); err != nil {
		c.t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !store.watch.Revoked(id, "", time.Now()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("it doesn't hear of %s", id)
		}
	}
}

// TestWatchLivesWithTheStore across reloads, taken and refused ones: requests
// of every earlier configuration depend on it.
func TestWatchLivesWithTheStore(t *testing.T) {
	c := run(t)
	lines := "store bolt " + filepath.Join(t.TempDir(), "otp.db")
	first := c.mustLoad(lines, loopback)
	c.learns(first, "first")
	watch := first.watch
	if next := c.mustLoad(lines, loopback, second); next.watch != watch {
		t.Error("the reload has another watch")
	}
	c.learns(first, "after a reload")
	if err := c.load(lines, loopback, loopback); err == nil {
		t.Fatal("two sites with one public_url are taken")
	}
	c.learns(first, "after a refused reload")
	if !watch.Revoked("first", "", time.Now()) {
		t.Error("it has forgotten what it had heard")
	}

	app, err := caddy.ActiveContext().AppIfConfigured("otp")
	if err != nil {
		t.Fatal(err)
	}
	service := app.(*App).services[0]
	x := otp.Session{ID: "s", Owner: "o", Created: time.Now(), Expires: time.Now().Add(time.Hour)}
	ctx, release := service.Follow(t.Context(), x, nil)
	defer release()
	if ctx.Err() != nil {
		t.Error("what goes on ends at once")
	}
	if err := c.load("store bolt "+filepath.Join(t.TempDir(), "other.db"), loopback); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() == nil {
		t.Error("what goes on outlives the store that its session is in")
	}
}

// TestValidateWatchesNothing: it opens no store.
func TestValidateWatchesNothing(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	file := filepath.Join(t.TempDir(), "otp.db")
	store, err := loadStore(&BoltStore{path: file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := stores.Delete((&BoltStore{path: file}).Identity()); err != nil {
			t.Error(err)
		}
	}()
	if _, err := provision(t, jsonOf(t, caddyfileOf("store bolt "+file, loopback))); err != nil {
		t.Fatal(err)
	}
	if n := references(file); n != 2 { // this test's own, and the one that is validated
		t.Fatalf("%d configurations use the store", n)
	}
	if store.opened.Load() != nil {
		t.Error("the store is open")
	}
}
