// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(c *Config) { c.Admission.Deny = patterns(t, "bad@example.com") })
		h.watch.Start()
		defer h.watch.Stop()
		now := time.Now()
		session := func(typed string) Session {
			a := anyAddress(t, typed)
			return Session{ID: h.newSessionID("00x"), Subject: Subject(h.realm, a), Address: a, Created: now, Expires: now.Add(time.Hour)}
		}
		good, bad, out := session("jane@example.com"), session("bad@example.com"), session("joe@example.com")
		if err := h.SignOut(t.Context(), out.ID, out.Expires); err != nil {
			t.Fatal(err)
		}
		for name, tc := range map[string]struct {
			x   Session
			err error
		}{"good": {good, nil}, "denied": {bad, ErrNoSession}, "signed out": {out, ErrNoSession}} {
			if _, err := h.Current(t.Context(), tc.x); !errors.Is(err, tc.err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		time.Sleep(time.Hour - time.Nanosecond)
		if _, err := h.Current(t.Context(), good); err != nil {
			t.Errorf("just before its end: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := h.Current(t.Context(), good); !errors.Is(err, ErrNoSession) {
			t.Errorf("at its end: %v", err)
		}
	})
}

func TestHoldsWithoutNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.store.err = ErrUnavailable
		x := Session{ID: h.newSessionID("00x"), Address: email(t, "jane@example.com"), Expires: time.Now().Add(time.Hour)}
		_, err := h.Current(t.Context(), x)
		if !errors.Is(err, ErrUnavailable) || RetryAfter(err) != 1 {
			t.Fatal(err)
		}
		x.Expires = time.Now()
		if _, err := h.Current(t.Context(), x); !errors.Is(err, ErrNoSession) {
			t.Fatalf("it has ended by itself: %v", err)
		}
	})
}

func TestSignOutErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		if err := h.SignOut(t.Context(), h.newSessionID("00x"), time.Now()); err != nil || len(h.store.revocations) != 0 {
			t.Errorf("a session that has ended: %v, %d revocations", err, len(h.store.revocations))
		}
		h.store.err = ErrUnavailable
		err := h.SignOut(t.Context(), h.newSessionID("00x"), time.Now().Add(time.Hour))
		if !errors.Is(err, ErrUnavailable) || RetryAfter(err) != 1 {
			t.Errorf("the store is down: %v", err)
		}
		h.store.err = nil
		h.store.revocationsErr = ErrUnavailable
		err = h.SignOut(t.Context(), h.newSessionID("00x"), time.Now().Add(time.Hour))
		if err != nil || len(h.store.revocations) != 1 {
			t.Errorf("the store goes down once the revocation is kept: %v, %d kept", err, len(h.store.revocations))
		}
	})
}

func TestRecord(t *testing.T) {
	h := newHouse(t, nil)
	r := h.Record("signing key")
	made := 0
	create := func() ([]byte, error) { made++; return []byte("the key"), nil }
	for range 3 {
		value, err := r.LoadOrCreate(t.Context(), create)
		if err != nil || string(value) != "the key" || made != 1 {
			t.Fatalf("%q, %v, made %d times", value, err, made)
		}
	}
	if kept := h.store.records[r.key]; len(kept) == 0 || bytes.Contains(kept, []byte("key")) {
		t.Fatalf("kept as %q", kept)
	}
	other := newHouseOn(t, h.store, func(c *Config) { c.Realm = "other.example.com" })
	if h.Record("another use").key == r.key || other.Record("signing key").key == r.key {
		t.Error("records share a name")
	}
	if h.Record("signing key").key != r.key {
		t.Error("a record changes its name")
	}
}

func TestRecordErrors(t *testing.T) {
	h := newHouse(t, nil)
	r := h.Record("signing key")
	if _, err := r.LoadOrCreate(t.Context(), func() ([]byte, error) { return nil, errDefect }); !errors.Is(err, errDefect) || len(h.store.records) != 0 {
		t.Errorf("%v, %d records", err, len(h.store.records))
	}
	h.store.err = ErrUnavailable
	made := false
	_, err := r.LoadOrCreate(t.Context(), func() ([]byte, error) { made = true; return []byte("x"), nil })
	if !errors.Is(err, ErrUnavailable) || RetryAfter(err) != 1 || made {
		t.Errorf("%v, made %v", err, made)
	}
}

// TestRecordRace lets nodes that all found nothing create at once.
func TestRecordRace(t *testing.T) {
	store := newFakeStore()
	const nodes = 8
	found := make(chan struct{}, nodes*2)
	store.onGet = func() { found <- struct{}{} }
	ready := make(chan struct{})
	values := make([][]byte, nodes)
	var running sync.WaitGroup
	for i := range nodes {
		h := newHouseOn(t, store, nil)
		running.Go(func() {
			value, err := h.Record("signing key").LoadOrCreate(context.Background(), func() ([]byte, error) {
				<-ready
				return []byte{byte('a' + i)}, nil
			})
			if err != nil {
				t.Error(err)
			}
			values[i] = value
		})
	}
	for range nodes {
		<-found
	}
	close(ready)
	running.Wait()
	for _, value := range values {
		if !bytes.Equal(value, values[0]) || len(value) != 1 {
			t.Fatalf("the nodes have %q", values)
		}
	}
}

func TestRecordRotation(t *testing.T) {
	store := newFakeStore()
	house := func(secrets ...string) Record {
		return newHouseOn(t, store, func(c *Config) { c.Keys = testKeys(t, secrets...) }).Record("signing key")
	}
	create := func(value string) func() ([]byte, error) { return func() ([]byte, error) { return []byte(value), nil } }
	never := func() ([]byte, error) { return nil, errDefect }
	load := func(step, want string, r Record, create func() ([]byte, error)) {
		t.Helper()
		value, err := r.LoadOrCreate(t.Context(), create)
		if err != nil || string(value) != want {
			t.Fatalf("%s: %q, %v", step, value, err)
		}
	}
	before, during := house("old"), house("new", "old")
	load("the first", "first", before, create("first"))
	sealed := bytes.Clone(store.records[before.key])
	load("a new secret in front", "first", during, never)
	if bytes.Equal(store.records[before.key], sealed) {
		t.Fatal("it isn't sealed anew")
	}
	sealed = bytes.Clone(store.records[before.key])
	load("again", "first", during, never)
	load("a node that has no new secret yet", "first", house("old"), never)
	if !bytes.Equal(store.records[before.key], sealed) {
		t.Fatal("nodes that differ in secrets seal in turn")
	}
	// A deployment that lacks the secrets it was sealed with can't do better
	// than to begin anew.
	gone := house("another")
	gone.key = before.key
	load("its secrets are gone", "second", gone, create("second"))
	for _, torn := range [][]byte{[]byte("torn"), {0xff}, {5, 1, 2}, sealed[:len(sealed)/3], {0}} {
		store.records[before.key] = torn
		load("it is torn", "third", during, create("third"))
	}
}
