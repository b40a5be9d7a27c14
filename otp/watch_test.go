// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatchFirstCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.store.revocations = []Revocation{{Session: "gone", At: time.Now(), Lifetime: time.Hour}}
		if !h.watch.Fresh(t.Context()) {
			t.Fatal("it doesn't ask when it is first needed")
		}
		if !h.watch.Revoked("gone", "", time.Now()) || h.watch.Revoked("other", "", time.Now()) {
			t.Fatal("it hasn't learned")
		}
	})
}

// TestWatchFirstCatchUpIsShared asks at once from as many requests as a slow
// store could never answer one by one.
func TestWatchFirstCatchUpIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.store.slow = 100 * time.Millisecond
		var running sync.WaitGroup
		for range 50 {
			running.Go(func() {
				if !h.watch.Fresh(t.Context()) {
					t.Error("not fresh though the store answers")
				}
			})
		}
		running.Wait()
	})
}

// TestWatchFirstCatchUpIsBounded asks a store that hangs from many requests:
// none waits longer than the timeout.
func TestWatchFirstCatchUpIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.store.hang = true
		began := time.Now()
		waits := make(chan time.Duration, 50)
		for range cap(waits) {
			go func() {
				if h.watch.Fresh(t.Context()) {
					t.Error("fresh without an answer")
				}
				waits <- time.Since(began)
			}()
		}
		for range cap(waits) {
			if wait := <-waits; wait > DefaultTimeout {
				t.Fatalf("a request waited %v", wait)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		began = time.Now()
		if h.watch.Fresh(ctx) || time.Since(began) > time.Millisecond {
			t.Fatalf("the request's own end is %v late", time.Since(began))
		}
	})
}

func TestWatchStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.watch.Start()
		defer h.watch.Stop()
		synctest.Wait()
		time.Sleep(10 * time.Minute)
		if !h.watch.Fresh(t.Context()) {
			t.Fatal("stale though the store answers")
		}
		h.store.setErr(ErrUnavailable)
		time.Sleep(staleAfter - time.Second)
		if !h.watch.Fresh(t.Context()) {
			t.Fatal("stale before a minute has passed")
		}
		time.Sleep(time.Second + watchInterval)
		if h.watch.Fresh(t.Context()) {
			t.Fatal("fresh after a minute without an answer")
		}
		h.store.setErr(nil)
		time.Sleep(watchInterval)
		synctest.Wait()
		if !h.watch.Fresh(t.Context()) {
			t.Fatal("stale though the store answers again")
		}
		log := h.log.String()
		if strings.Count(log, "revocations can't be read") != 1 || strings.Count(log, "can be read again") != 1 {
			t.Errorf("not told once each:\n%s", log)
		}
	})
}

func TestWatchRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.watch.Start()
		defer h.watch.Stop()
		before := time.Now()
		time.Sleep(time.Second)
		if err := h.SignOut(t.Context(), "s1", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := h.SignOutEverywhere(t.Context(), "jane", time.Hour); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		for _, tc := range []struct {
			name    string
			id      SessionID
			owner   string
			created time.Time
			revoked bool
		}{
			{"the session", "s1", h.owner("joe"), before, true},
			{"another", "s2", h.owner("joe"), before, false},
			{"an earlier one of the owner", "s3", h.owner("jane"), before, true},
			{"one of the same instant", "s3", h.owner("jane"), now, true},
			{"a later one", "s3", h.owner("jane"), now.Add(time.Millisecond), false},
			{"of nobody", "", "", before, false},
		} {
			if got := h.watch.Revoked(tc.id, tc.owner, tc.created); got != tc.revoked {
				t.Errorf("%s: %v at once", tc.name, got)
			}
		}
		time.Sleep(time.Hour)
		if !h.watch.Revoked("s1", h.owner("joe"), before) {
			t.Error("forgotten too early")
		}
	})
}

func TestWatchForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.watch.Start()
		defer h.watch.Stop()
		for range 100 {
			if err := h.SignOut(t.Context(), h.newSessionID("00x"), time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if err := h.SignOutEverywhere(t.Context(), randomText(8), time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Hour)
		if err := h.SignOut(t.Context(), "last", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		h.watch.mu.RLock()
		defer h.watch.mu.RUnlock()
		if len(h.watch.sessions) != 1 || len(h.watch.owners) != 0 {
			t.Fatalf("%d sessions and %d owners are remembered", len(h.watch.sessions), len(h.watch.owners))
		}
	})
}

// TestWatchTakesTheLatest is told of two sign-outs of one subject in the
// wrong order, and again and again.
func TestWatchTakesTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		first := time.Now()
		h.store.revocations = []Revocation{
			{Owner: "jane", At: first, Lifetime: time.Hour},
			{Owner: "jane", At: first.Add(2 * time.Second), Lifetime: time.Minute},
		}
		for range 2 {
			if err := h.watch.catchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !h.watch.Revoked("s", "jane", first.Add(time.Second)) {
				t.Fatal("the earlier sign-out has taken the later one's place")
			}
		}
		if forget := h.watch.owners["jane"].forget; !forget.Equal(first.Add(time.Hour)) {
			t.Fatalf("forgotten %v after", forget.Sub(first))
		}
	})
}

func TestTwoNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		one, two := newHouseOn(t, store, nil), newHouseOn(t, store, nil)
		for _, h := range []*house{one, two} {
			h.watch.Start()
			defer h.watch.Stop()
		}
		created := time.Now()
		time.Sleep(1234 * time.Millisecond)
		if err := one.SignOut(t.Context(), "s1", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if !one.watch.Revoked("s1", "", created) {
			t.Error("not at once where it was signed out")
		}
		if two.watch.Revoked("s1", "", created) {
			t.Error("known elsewhere before it can be")
		}
		time.Sleep(time.Second)
		if !two.watch.Revoked("s1", "", created) {
			t.Error("not known elsewhere after a second")
		}
	})
}

func TestWatchStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.watch.Stop() // it never began
		h.watch.Start()
		synctest.Wait()
		h.store.mu.Lock()
		h.store.hang = true
		h.store.mu.Unlock()
		time.Sleep(watchInterval + time.Millisecond)
		began := time.Now()
		h.watch.Stop()
		h.watch.Stop()
		if time.Since(began) > 0 {
			t.Errorf("it took %v", time.Since(began))
		}
		if strings.Contains(h.log.String(), "ERROR") {
			t.Errorf("a stop is no fault:\n%s", h.log)
		}
	})
}
