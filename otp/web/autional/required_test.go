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

// TestRequiredAtRefresh: a session that another site of the realm opened, which
// demands no second factor, gets no tokens of one that does.
func TestRequiredAtRefresh(t *testing.T) {
	s := newSite(t, webtest.Options{})
	strict := newSite(t, webtest.Options{
		Origin: "https://strict.example.com",
		Beside: s.Site,
		Domain: func(c *otp.Config) { c.MFA = otp.MFAPolicy{Required: true} },
	})
	first := s.refresh(s.signIn(alice).Text("refresh_token")).Want(http.StatusOK)
	strict.refresh(first.Text("refresh_token")).Want(http.StatusUnauthorized)
}
