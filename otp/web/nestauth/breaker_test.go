// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestBreaker: while it is open the API refuses all but browsers that its pages
// know for the address.
func TestBreaker(t *testing.T) {
	s := newSite(t, webtest.Options{Frozen: true})
	address, err := s.Service.ParseAddress(otp.Email, alice)
	if err != nil {
		t.Fatal(err)
	}
	remembered := make(http.Header)
	request := webtest.Request(http.MethodPost, "/auth/login", "")
	if err := s.Gate.Browser.Remember(remembered, request, "00session", s.Service.Handle(address)); err != nil {
		t.Fatal(err)
	}
	cookie := (&http.Response{Header: remembered}).Cookies()[0]
	known := []string{"Cookie", cookie.Name + "=" + cookie.Value}

	for i := range 301 {
		victim := fmt.Sprintf("victim%d@example.com", i)
		s.send(victim, "email").Want(http.StatusOK)
		s.login(victim, webtest.OtherCode(s.Code())).Want(http.StatusBadRequest)
	}
	const path, body = "/auth/passwordless/send", `{"identifier":%q,"channel":"email"}`
	for name, a := range map[string]webtest.Answer{
		"start":                      s.send(alice, "email"),
		"login":                      s.login(alice, "123456"),
		"start for another address":  s.Post(path, fmt.Sprintf(body, "bob@example.com"), known...),
		"login with another address": s.login("bob@example.com", "123456", known...),
		"start with a false cookie":  s.Post(path, fmt.Sprintf(body, alice), "Cookie", cookie.Name+"="+cookie.Value[1:]),
	} {
		wantRefusal(a, http.StatusTooManyRequests, "RATE_LIMITED", "Too many requests. Please try again later.")
		if got := a.Header.Get("Retry-After"); got != "60" {
			t.Errorf("%s: Retry-After is %q", name, got)
		}
	}
	s.NoMessage()
	s.Post(path, fmt.Sprintf(body, alice), known...).Want(http.StatusOK)
	s.login(alice, s.Code(), known...).Want(http.StatusOK)

	s.Advance(time.Minute)
	s.signIn("bob@example.com", "email")
}
