// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestRequiredOfEverybody: where the site demands a second factor, every login
// is asked for one, and only what continues it opens the app.
func TestRequiredOfEverybody(t *testing.T) {
	s := newSite(t, webtest.Options{
		Protect: []string{"/private"},
		Domain:  func(c *otp.Config) { c.MFA = otp.MFAPolicy{Required: true} },
	})
	a, m := s.challenged(alice)
	if m.To != alice || m.Purpose != otp.MFA {
		t.Fatalf("%+v", m)
	}
	body := fmt.Sprintf(`{"challenge_token":%q,"code":%q}`, a.Text("challenge_token"), m.Code)
	full := s.Post("/auth/mfa/verify-challenge", body).Want(http.StatusOK)
	if !s.Get("/private", webtest.Bearer(full.Text("access_token"))...).FromApp() {
		t.Error("the token that comes of it opens nothing")
	}
	if s.Get("/private", webtest.Bearer(a.Text("challenge_token"))...).FromApp() {
		t.Error("the challenge opens the app")
	}
}

// TestSiteHopping: what a site of the realm gave without a second factor is
// worth nothing, and renews nothing, at one that demands it.
func TestSiteHopping(t *testing.T) {
	open := newSite(t, webtest.Options{})
	strict := newSite(t, webtest.Options{
		Beside: open.Site,
		Origin: "https://strict.example.com",
		Domain: func(c *otp.Config) { c.MFA = otp.MFAPolicy{Required: true} },
	})
	a := open.signIn(alice)
	bearer := webtest.Bearer(a.Text("access_token"))
	wantSuccess(open.Get("/auth/me", bearer...))
	wantSimple(strict.Get("/auth/me", bearer...), errUnauthorized)
	wantSimple(strict.Get("/auth/me/sessions", bearer...), errUnauthorized)
	wantSimple(strict.delete("/auth/me/sessions", bearer...), errUnauthorized)
	wantSimple(strict.refresh(a.Text("refresh_token")), errUnauthorized)
}
