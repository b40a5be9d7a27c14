// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLink(t *testing.T) {
	h := newHouse(t, nil)
	r := startRequest(t, "Jane@Example.com")
	r.LinkPayload, r.Tenant = []byte(`{"return":"/x"}`), "acme"
	token, tag, err := h.newLink(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"Jane", "jane", "return", "acme"} {
		if strings.Contains(token, text) {
			t.Errorf("the link shows %q", text)
		}
	}
	l, err := h.OpenLink(token)
	if err != nil {
		t.Fatal(err)
	}
	if l.Address.String() != "jane@example.com" || l.Address.Channel() != Email || l.Dialect != "portal" || l.Client != "web" || l.Purpose != Login ||
		l.Tenant != "acme" || string(l.Payload) != `{"return":"/x"}` {
		t.Errorf("%+v", l)
	}
	again, err := h.OpenLink(token)
	if err != nil || again.secret != l.secret {
		t.Errorf("reading it has used it up: %v", err)
	}
	other, otherTag, err := h.newLink(r, nil)
	if err != nil || other == token || otherTag == tag {
		t.Errorf("two links are the same: %v", err)
	}

	elsewhere := newHouse(t, func(c *Config) { c.Realm = "other.example.com" })
	for name, open := range map[string]func() (Link, error){
		"another realm":    func() (Link, error) { return elsewhere.OpenLink(token) },
		"nothing":          func() (Link, error) { return h.OpenLink("") },
		"a letter changed": func() (Link, error) { return h.OpenLink("A" + token[1:]) },
		"cut":              func() (Link, error) { return h.OpenLink(token[:len(token)-4]) },
		"an outbox message": func() (Link, error) {
			e, err := h.seal(Message{ID: "1"}, 0)
			if err != nil {
				t.Fatal(err)
			}
			return h.OpenLink(string(e.Sealed))
		},
		"sealed for cookies": func() (Link, error) {
			return h.OpenLink(h.keys.Sealer("session cookie").SealText([]byte(`{"ch":"email","addr":"jane@example.com"}`), h.realm))
		},
	} {
		if l, err := open(); !errors.Is(err, ErrWrong) {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}

func TestVerifyLink(t *testing.T) {
	h := newHouse(t, nil)
	token, tag, err := h.newLink(startRequest(t, "jane@example.com"), nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := h.OpenLink(token)
	if err != nil {
		t.Fatal(err)
	}
	v, err := h.VerifyLink(t.Context(), l, Presented{Lifetime: time.Hour})
	if err != nil || v.Session.Address.String() != "jane@example.com" || v.Session.Method != ByLink || v.Session.Dialect != "portal" || v.Session.Client != "web" {
		t.Fatalf("%+v, %v", v, err)
	}
	g := h.store.verifies[0].guess
	if !g.Link || !slices.Equal(g.Tags, []Tag{tag}) || g.Handle != h.handle(l.Address) || g.Group != h.group("portal", "web", l.Address, Login) {
		t.Errorf("guess %+v", g)
	}
}
