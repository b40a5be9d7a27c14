// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"testing"
)

// TestFreshLogin: whoever is signed in and must sign in again isn't let go on by
// the old session, neither on the login page nor on the code's.
func TestFreshLogin(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signInOn("jane@example.com")
	before := b.session()
	page := b.get(login + "?fresh=1&return_to=%2Fapp")
	form := formOf(t, page)
	if form.Get("fresh") != "1" || form.Get("return_to") != "/app" {
		t.Fatalf("the page asks with %v", form)
	}
	form.Set("address", "jane@example.com")
	b.post(login, form).redirects(t, verify)
	if a := b.get(verify); a.Status != http.StatusOK {
		t.Fatalf("the code isn't asked for: %d to %q", a.Status, a.Header.Get("Location"))
	}
	typed := formOf(t, b.get(verify))
	typed.Set("code", s.Code())
	b.post(verify, typed).redirects(t, "/app")
	if b.session().ID == before.ID {
		t.Error("the session is the old one")
	}
}
