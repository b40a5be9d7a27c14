// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeDirectory knows people by their addresses' canonical forms.
type fakeDirectory struct {
	mu     sync.Mutex
	people map[string]Person
	err    error
}

func (d *fakeDirectory) Find(_ context.Context, a Address) (Person, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return Person{}, d.err
	}
	p, ok := d.people[a.String()]
	if !ok {
		return Person{}, ErrNobody
	}
	return p, nil
}

// set puts somebody into the directory, or takes an address out of it.
func (d *fakeDirectory) set(address string, p *Person) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p == nil {
		delete(d.people, address)
		return
	}
	d.people[address] = *p
}

func (d *fakeDirectory) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// directoryHouse is a house with a directory of people by address.
func directoryHouse(t *testing.T, people map[string]Person, change func(*Config)) (*house, *fakeDirectory) {
	t.Helper()
	d := &fakeDirectory{people: people}
	h := newHouse(t, func(c *Config) {
		c.Directory = d
		if change != nil {
			change(c)
		}
	})
	return h, d
}

// TestDirectorySignsIn: whom it lists gets a message and a session with what
// it says; nobody else gets either, by the same answers.
func TestDirectorySignsIn(t *testing.T) {
	jane := Person{
		Subject:   "42",
		Addresses: []Address{email(t, "jane@example.com"), phone(t, "+491701234567")},
		Groups:    []string{"admins"},
	}
	h, _ := directoryHouse(t, map[string]Person{"jane@example.com": jane}, nil)
	for address, listed := range map[string]bool{"Jane@Example.com": true, "joe@example.com": false} {
		r := startRequest(t, address)
		if _, err := h.Start(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		last := h.store.starts[len(h.store.starts)-1]
		if sent := last.message != nil; sent != listed {
			t.Errorf("%s: a message is queued: %v", address, sent)
		}
		v, err := h.Verify(t.Context(), verifyRequestFor(r, "000123"))
		if err != nil {
			t.Fatal(err) // the fake store takes every guess
		}
		if judged := h.store.verifies[len(h.store.verifies)-1].guess.Tags != nil; judged != listed {
			t.Errorf("%s: a guess may be right: %v", address, judged)
		}
		if !listed {
			continue
		}
		x := v.Session
		if x.Subject != "42" || x.Owner != h.owner("42") || !x.Person.InAny([]string{"admins"}) || x.Person.Main(SMS).String() != "+491701234567" {
			t.Errorf("session %+v", x)
		}
	}
	if log := h.log.String(); strings.Count(log, "because_of=directory") != 2 || strings.Contains(log, "joe") {
		t.Errorf("the log says\n%s", log)
	}
}

func verifyRequestFor(r StartRequest, code string) VerifyRequest {
	return VerifyRequest{
		Presented: Presented{Lifetime: time.Hour},
		Dialect:   r.Dialect, Client: r.Client, Address: r.Address, Purpose: r.Purpose, Tenant: r.Tenant, Code: code,
	}
}

// TestDirectoryThatFails: nobody gets in who couldn't before, and no guess is
// judged.
func TestDirectoryThatFails(t *testing.T) {
	h, d := directoryHouse(t, map[string]Person{"jane@example.com": {}}, nil)
	r := startRequest(t, "jane@example.com")
	v, err := h.Verify(t.Context(), verifyRequestFor(r, "000123"))
	if err != nil {
		t.Fatal(err)
	}
	d.fail(errors.New("no route to host"))
	_, startErr := h.Start(t.Context(), r)
	_, verifyErr := h.Verify(t.Context(), verifyRequestFor(r, "000123"))
	for what, err := range map[string]error{"start": startErr, "verify": verifyErr} {
		if !errors.Is(err, ErrUnavailable) || RetryAfter(err) == 0 {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(h.store.starts) != 0 || len(h.store.verifies) != 1 {
		t.Errorf("the store was asked: %d starts, %d guesses", len(h.store.starts), len(h.store.verifies)-1)
	}
	if _, err := h.Current(t.Context(), v.Session); err != nil {
		t.Errorf("somebody signed in is thrown out: %v", err)
	}
}

// TestDirectoryIsAskedAgain changes what a directory says while a session lives.
func TestDirectoryIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, d := directoryHouse(t, map[string]Person{"jane@example.com": {Groups: []string{"staff"}}}, func(c *Config) {
			c.Admission.Deny = patterns(t, "group:left")
		})
		h.watch.Start()
		defer h.watch.Stop()
		v, err := h.Verify(t.Context(), verifyRequestFor(startRequest(t, "jane@example.com"), "000123"))
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			name   string
			person *Person
			fail   bool
			groups string
			ends   bool
		}{
			{name: "as it was", person: &Person{Groups: []string{"staff"}}, groups: "staff"},
			{name: "another group", person: &Person{Groups: []string{"admins"}}, groups: "admins"},
			{name: "no answer", fail: true, groups: "staff"}, // what the session was sealed with
			{name: "a group that is denied", person: &Person{Groups: []string{"admins", "left"}}, ends: true},
			{name: "another person's by now", person: &Person{Subject: "43", Groups: []string{"staff"}}, ends: true},
			{name: "out of the list", ends: true},
			{name: "back again", person: &Person{Groups: []string{"staff"}}, groups: "staff"},
		} {
			d.set("jane@example.com", step.person)
			d.fail(nil)
			if step.fail {
				d.fail(ErrUnavailable)
			}
			x, err := h.Current(t.Context(), v.Session)
			switch {
			case step.ends && !errors.Is(err, ErrNoSession):
				t.Errorf("%s: %v", step.name, err)
			case !step.ends && (err != nil || strings.Join(x.Person.Groups, " ") != step.groups):
				t.Errorf("%s: %v, groups %q", step.name, err, x.Person.Groups)
			}
		}
		if log := h.log.String(); strings.Count(log, "session is refused") != 1 || strings.Contains(log, "jane@") {
			t.Errorf("not told once, or too much:\n%s", log)
		}
		time.Sleep(time.Minute)
		d.set("jane@example.com", nil)
		_, _ = h.Current(t.Context(), v.Session)
		if log := h.log.String(); strings.Count(log, "session is refused") != 2 {
			t.Errorf("not told again after a while:\n%s", log)
		}
	})
}

// TestTenants: who has tenants is signed in for one of them, by a code that was
// asked for with the same word.
func TestTenants(t *testing.T) {
	h, _ := directoryHouse(t, map[string]Person{
		"jane@example.com": {Tenants: []string{"acme", "globex"}},
		"joe@example.com":  {},
	}, nil)
	tag := func(address, tenant string) Tag {
		r := startRequest(t, address)
		r.Tenant = tenant
		if _, err := h.Verify(t.Context(), verifyRequestFor(r, "000123")); err != nil {
			t.Fatal(err)
		}
		if tags := h.store.verifies[len(h.store.verifies)-1].guess.Tags; tags != nil {
			return tags[0]
		}
		return ""
	}
	if tag("jane@example.com", "acme") == tag("jane@example.com", "globex") || tag("jane@example.com", "acme") == tag("jane@example.com", "") {
		t.Error("a code of one tenant is good for another")
	}
	if tag("jane@example.com", "initech") != "" {
		t.Error("a code is good for a foreign tenant")
	}
	if tag("joe@example.com", "any") == "" || tag("joe@example.com", "any") != tag("joe@example.com", "") {
		t.Error("a tenant means something to somebody who has none")
	}
	for _, tc := range []struct{ address, asked, got string }{
		{"jane@example.com", "globex", "globex"},
		{"jane@example.com", "", "acme"},
		{"joe@example.com", "string", "string"},
	} {
		r := startRequest(t, tc.address)
		r.Tenant = tc.asked
		v, err := h.Verify(t.Context(), verifyRequestFor(r, "000123"))
		if err != nil || v.Session.Tenant != tc.got {
			t.Errorf("%s asks for %q and gets %q, %v", tc.address, tc.asked, v.Session.Tenant, err)
		}
	}
	r := startRequest(t, "jane@example.com")
	r.Tenant = "initech"
	if _, err := h.Start(t.Context(), r); err != nil || h.store.starts[0].message != nil {
		t.Errorf("a start for a foreign tenant: %v, a message: %v", err, h.store.starts[0].message != nil)
	}
}

func TestListedSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.watch.Start()
		defer h.watch.Stop()
		var opened []Session
		for range 3 {
			r := verifyRequestFor(startRequest(t, "jane@example.com"), "000123")
			r.Device = "Firefox on Linux"
			v, err := h.Verify(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			opened = append(opened, v.Session)
			time.Sleep(time.Second)
		}
		subject := opened[0].Subject
		listed, err := h.Sessions(t.Context(), subject)
		if err != nil || len(listed) != 3 || listed[0].ID != opened[2].ID || listed[0].Device != "Firefox on Linux" {
			t.Fatalf("%+v, %v", listed, err)
		}
		if others, err := h.Sessions(t.Context(), "somebody else"); err != nil || len(others) != 0 {
			t.Errorf("somebody else's: %+v, %v", others, err)
		}
		if err := h.SignOut(t.Context(), opened[1].ID, opened[1].Expires); err != nil {
			t.Fatal(err)
		}
		if listed, err := h.Sessions(t.Context(), subject); err != nil || len(listed) != 2 {
			t.Errorf("after one was ended: %d, %v", len(listed), err)
		}
		if err := h.SignOutEverywhere(t.Context(), subject, time.Hour); err != nil {
			t.Fatal(err)
		}
		if listed, err := h.Sessions(t.Context(), subject); err != nil || len(listed) != 0 {
			t.Errorf("after all were ended: %d, %v", len(listed), err)
		}
		h.store.setErr(ErrUnavailable)
		if _, err := h.Sessions(t.Context(), subject); !errors.Is(err, ErrUnavailable) || RetryAfter(err) == 0 {
			t.Errorf("with a store that fails: %v", err)
		}
	})
}

func TestIsGroup(t *testing.T) {
	for text, want := range map[string]bool{
		"admins": true, "Domain-Admins": true, "cn=admins": true, "a/b.c_d@x:1": true, strings.Repeat("g", 64): true,
		"": false, "a b": false, "a,b": false, "a;b": false, "a\n": false, "grüppe": false, strings.Repeat("g", 65): false,
	} {
		if IsGroup(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

// TestDirectoryThatFailsVouchesForNoStranger: a session that another site of the
// realm opened, one without a directory or with another, opens nothing while
// this site's can't be asked about it.
func TestDirectoryThatFailsVouchesForNoStranger(t *testing.T) {
	store := newFakeStore()
	site := func(name string, d Directory) *house {
		return newHouseOn(t, store, func(c *Config) { c.Directory, c.DirectoryName = d, name })
	}
	open := site("", nil)
	other := site("other", &fakeDirectory{people: map[string]Person{"joe@example.com": {Groups: []string{"admins"}}}})
	gated := &fakeDirectory{people: map[string]Person{"jane@example.com": {}}}
	closed := site("people", gated)
	r := startRequest(t, "joe@example.com")
	for name, at := range map[string]*house{"without a directory": open, "with another one": other} {
		gated.fail(nil)
		v, err := at.Verify(t.Context(), verifyRequestFor(r, "000123"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := closed.Current(t.Context(), v.Session); !errors.Is(err, ErrNoSession) {
			t.Errorf("%s: %v", name, err)
		}
		gated.fail(errors.New("no route to host"))
		if _, err := closed.Current(t.Context(), v.Session); !errors.Is(err, ErrUnavailable) || RetryAfter(err) == 0 {
			t.Errorf("%s, during an outage: %v", name, err)
		}
	}
}

// remembering is a directory that is sooner with what it told before.
type remembering struct {
	fakeDirectory
	asked []string
}

func (d *remembering) Ask(ctx context.Context, a Address) (Person, error) {
	d.asked = append(d.asked, a.String())
	return d.Find(ctx, a)
}

// TestStrangersAreAskedForAnew: what anybody may type is never answered from
// memory.
func TestStrangersAreAskedForAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &remembering{fakeDirectory: fakeDirectory{people: map[string]Person{"jane@example.com": {}}}}
		h := newHouse(t, func(c *Config) { c.Directory = d })
		h.watch.Start()
		defer h.watch.Stop()
		r := startRequest(t, "jane@example.com")
		if _, err := h.Start(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		v, err := h.Verify(t.Context(), verifyRequestFor(r, "000123"))
		if err != nil {
			t.Fatal(err)
		}
		if len(d.asked) != 2 {
			t.Errorf("asked for anew: %q", d.asked)
		}
		if _, err := h.Current(t.Context(), v.Session); err != nil || len(d.asked) != 2 {
			t.Errorf("a session's request: %v, asked for anew: %q", err, d.asked)
		}
	})
}
