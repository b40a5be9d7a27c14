// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestStart(t *testing.T) {
	h := newHouse(t, nil)
	r := startRequest(t, " Jane@Example.com ")
	r.Locale, r.Tenant, r.ClientIP = "de", "acme", netip.MustParseAddr("192.0.2.1")
	started, err := h.Start(t.Context(), r)
	if err != nil || started.Lifetime != 10*time.Minute {
		t.Fatal(started, err)
	}
	if len(h.store.starts) != 1 {
		t.Fatalf("%d store calls", len(h.store.starts))
	}
	call := h.store.starts[0]
	c := call.challenge
	if c.Handle != h.handle(r.Address) || c.Group != h.group("portal", "web", r.Address, Login) || c.Code == "" || c.Link != "" ||
		c.Lifetime != 10*time.Minute || c.Attempts != 5 || c.Keep != 3 {
		t.Errorf("challenge %+v", c)
	}
	if fmt.Sprint(call.charges) != fmt.Sprint(h.startCharges(r.ClientIP, "")) {
		t.Errorf("charges %+v", call.charges)
	}
	if call.message.Realm != "app.example.com" || call.message.Lifetime != 10*time.Minute || call.message.Lease != deliveryLease {
		t.Errorf("envelope %+v", call.message)
	}
	m, err := h.unseal(*call.message)
	if err != nil {
		t.Fatal(err)
	}
	if m.ID != call.message.ID || m.To != "Jane@Example.com" || m.Channel != Email || m.Purpose != Login || m.Locale != "de" || m.Tenant != "acme" ||
		m.Dialect != "portal" || m.Lifetime != 10*time.Minute || m.Link != "" {
		t.Errorf("message %+v", m)
	}
	if len(m.Code) != 6 || c.Code != h.keys.tag(h.tagParts(codeTag, "portal", "web", r.Address, Login, nil, m.Code)...) {
		t.Errorf("the tag isn't that of %q", m.Code)
	}
	wantSecret(t, call, "Jane", "jane", m.Code)
}

// wantSecret fails where a store call shows any of these texts.
func wantSecret(t *testing.T, call startCall, texts ...string) {
	t.Helper()
	seen := fmt.Sprintf("%+v %+v %s", call.challenge, call.charges, call.message.Sealed)
	for _, text := range texts {
		if strings.Contains(seen, text) {
			t.Errorf("the store sees %q", text)
		}
	}
}

func TestStartForms(t *testing.T) {
	for _, tc := range []struct {
		form       Form
		code, link bool
	}{{FormCode, true, false}, {FormLink, false, true}, {FormBoth, true, true}} {
		h := newHouse(t, nil)
		r := startRequest(t, "jane@example.com")
		r.Form, r.LinkPath, r.LinkPayload = tc.form, "/.otp/link?t=", []byte("payload")
		if _, err := h.Start(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		call := h.store.starts[0]
		m, err := h.unseal(*call.message)
		if err != nil {
			t.Fatal(err)
		}
		if (m.Code != "") != tc.code || (m.Link != "") != tc.link || (call.challenge.Code != "") != tc.code || (call.challenge.Link != "") != tc.link {
			t.Errorf("%s: message %+v, challenge %+v", tc.form, m, call.challenge)
		}
		if tc.link && !strings.HasPrefix(m.Link, "https://app.example.com/.otp/link?t=") {
			t.Errorf("%s: link %q", tc.form, m.Link)
		}
	}
}

// TestLinkOrigin pins that a link begins with the public URL, byte for byte.
func TestLinkOrigin(t *testing.T) {
	for _, origin := range []string{"https://app.example.com", "https://app.example.com:8443", "http://localhost:8080"} {
		publicURL, err := url.Parse(origin)
		if err != nil {
			t.Fatal(err)
		}
		h := newHouse(t, func(c *Config) { c.PublicURL = publicURL })
		r := startRequest(t, "jane@example.com")
		r.Form, r.LinkPath = FormLink, "/l?t="
		if _, err := h.Start(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		m, err := h.unseal(*h.store.starts[0].message)
		if err != nil || !strings.HasPrefix(m.Link, origin+"/l?t=") {
			t.Errorf("%q, %v", m.Link, err)
		}
	}
}

func TestStartSMS(t *testing.T) {
	h := newHouse(t, func(c *Config) {
		c.Senders[SMS] = c.Senders[Email]
		c.Countries = []string{"DE"}
	})
	started, err := h.Start(t.Context(), startRequest(t, "+491701234567"))
	if err != nil || started.Lifetime != 5*time.Minute || h.store.starts[0].challenge.Lifetime != 5*time.Minute {
		t.Fatal(started, err)
	}
	m, err := h.unseal(*h.store.starts[0].message)
	if err != nil || m.To != "+491701234567" || m.Lifetime != 5*time.Minute {
		t.Fatalf("%+v, %v", m, err)
	}
}

// TestStartOfTheRefused compares what the store and the caller see of those
// who get no message with one who does.
func TestStartOfTheRefused(t *testing.T) {
	for _, tc := range []struct{ name, typed string }{
		{"denied", "bad@example.com"},
		{"not among the allowed", "joe@elsewhere.example"},
		{"a country that isn't offered", "+12125552368"},
		{"a number of no country", "+80012345678"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, func(c *Config) {
				c.Senders[SMS] = c.Senders[Email]
				c.Countries = []string{"DE"}
				c.Admission = Admission{Allow: patterns(t, "*@example.com +49* +1* +800*"), Deny: patterns(t, "bad@example.com")}
			})
			admitted := "jane@example.com"
			if tc.typed[0] == '+' {
				admitted = "+491701234567"
			}
			good, goodErr := h.Start(t.Context(), startRequest(t, admitted))
			bad, badErr := h.Start(t.Context(), startRequest(t, tc.typed))
			if goodErr != nil || badErr != nil || good != bad {
				t.Errorf("answered %v, %v; one who may gets %v, %v", bad, badErr, good, goodErr)
			}
			if len(h.store.starts) != 2 {
				t.Fatalf("%d store calls", len(h.store.starts))
			}
			one, other := h.store.starts[0], h.store.starts[1]
			if one.message == nil || other.message != nil {
				t.Errorf("messages %v and %v", one.message, other.message)
			}
			if fmt.Sprint(one.charges) != fmt.Sprint(other.charges) {
				t.Errorf("charged %+v in place of %+v", other.charges, one.charges)
			}
			one.challenge.Handle, one.challenge.Group, one.challenge.Code = other.challenge.Handle, other.challenge.Group, other.challenge.Code
			if one.challenge != other.challenge || other.challenge.Code == "" {
				t.Errorf("challenge %+v in place of %+v", other.challenge, one.challenge)
			}
			if n := len(h.courier.queue); n != 1 {
				t.Errorf("%d messages to deliver", n)
			}
		})
	}
}

func TestStartErrors(t *testing.T) {
	for _, tc := range []struct {
		name    string
		typed   string
		prepare func(*fakeStore)
		err     error
		retry   int
		starts  int
	}{
		{name: "no sender", typed: "+491701234567", err: ErrNoSender},
		{name: "throttled", typed: "jane@example.com", prepare: func(s *fakeStore) { s.result = Throttled }, err: ErrThrottled, retry: 90, starts: 1},
		{name: "cooling down", typed: "jane@example.com", prepare: func(s *fakeStore) { s.result = CoolingDown }, err: ErrCoolDown, retry: 90, starts: 1},
		{name: "unavailable", typed: "jane@example.com", prepare: func(s *fakeStore) { s.err = fmt.Errorf("dial: %w", ErrUnavailable) }, err: ErrUnavailable, retry: 1},
		{name: "nonsense", typed: "jane@example.com", prepare: func(s *fakeStore) { s.result = Verified }, starts: 1},
		{name: "a defect", typed: "jane@example.com", prepare: func(s *fakeStore) { s.err = errDefect }, err: errDefect},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, nil)
			if tc.prepare != nil {
				tc.prepare(h.store)
			}
			started, err := h.Start(t.Context(), startRequest(t, tc.typed))
			if err == nil || tc.err != nil && !errors.Is(err, tc.err) || RetryAfter(err) != tc.retry || started != (Started{}) {
				t.Errorf("%v, %v (retry after %d)", started, err, RetryAfter(err))
			}
			if len(h.store.starts) != tc.starts || len(h.courier.queue) != 0 {
				t.Errorf("%d store calls, %d messages to deliver", len(h.store.starts), len(h.courier.queue))
			}
		})
	}
}

var errDefect = errors.New("a defect")

// TestStartIsBounded holds the caller no longer than the store's timeout, and
// goes on when the client has hung up.
func TestStartIsBounded(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Timeout = time.Millisecond })
	h.store.hang = true
	if _, err := h.Start(t.Context(), startRequest(t, "jane@example.com")); !errors.Is(err, ErrUnavailable) || RetryAfter(err) != 1 {
		t.Errorf("a store that hangs: %v", err)
	}
	h = newHouse(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Start(ctx, startRequest(t, "jane@example.com")); err != nil {
		t.Errorf("the client has hung up: %v", err)
	}
}

func TestMessagesOfOneRealm(t *testing.T) {
	h := newHouse(t, nil)
	other := newHouse(t, func(c *Config) { c.Realm = "other.example.com" })
	e, err := h.seal(Message{ID: "1", Code: "123456"}, deliveryLease)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := other.unseal(*e); !errors.Is(err, ErrSealed) {
		t.Fatalf("another realm reads %+v, %v", m, err)
	}
}

// TestMessageFormat pins what lies in outboxes across versions.
func TestMessageFormat(t *testing.T) {
	encoded, err := json.Marshal(Message{
		ID: "1", Channel: Email, Purpose: Login, To: "a@b.c", Code: "123456", Link: "https://a", Locale: "de", Dialect: "portal",
		Tenant: "t", Lifetime: time.Minute, Subject: "s", Text: "t", HTML: "h",
	})
	const want = `{"id":"1","channel":"email","purpose":"login","to":"a@b.c","code":"123456","link":"https://a","locale":"de","dialect":"portal","tenant":"t","lifetime":60000000000}`
	if err != nil || string(encoded) != want {
		t.Fatalf("%s, %v", encoded, err)
	}
}
