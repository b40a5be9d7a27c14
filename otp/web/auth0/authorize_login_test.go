// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestAuthorizeLooks: what a client says of the login page reaches it.
func TestAuthorizeLooks(t *testing.T) {
	r := newRig(t, webtest.Options{})
	v := r.visitor(t)
	a := v.get(authorizeURL(with(with(codeRequest(pkceSPA), "login_hint", "jane@example.org"), "ui_locales", "de-CH en")))
	page := v.get(a.Header.Get("Location"))
	if page.Header.Get("Content-Language") != "de" || !strings.Contains(page.Body, `value="jane@example.org"`) {
		t.Errorf("the page: %s", page.Body)
	}
	r.NoMessage()
	refused := v.get(authorizeURL(with(with(codeRequest(pkceSPA), "redirect_uri", "https://evil.example"), "ui_locales", "de")))
	if refused.Header.Get("Content-Language") != "de" {
		t.Errorf("the refusal is in %q", refused.Header.Get("Content-Language"))
	}
}

// TestAuthorizePost: a client may post its request, from a page of any site.
func TestAuthorizePost(t *testing.T) {
	r := newRig(t, webtest.Options{})
	v := r.signedInVisitor(t, r.newEmail())
	foreign := []string{"Origin", "https://app.elsewhere.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}
	post := func(path string, form url.Values) answer {
		// As SameSite=Lax has it, there are no cookies.
		return r.visitor(t).ask(http.MethodPost, path, formBody, form.Encode(), foreign...)
	}
	a := post(authorizePath, codeRequest(pkceSPA))
	next := a.Header.Get("Location")
	if a.Status != http.StatusSeeOther || !strings.HasPrefix(next, authorizePath+"?") {
		t.Fatalf("%s", a.said())
	}
	if a.Header.Get("Access-Control-Allow-Origin") != "" || len(a.Cookies()) > 0 {
		t.Errorf("the answer has %v", a.Header)
	}
	values := v.get(next, "Sec-Fetch-Mode", "navigate").answered(t, callback, "?")
	r.post(t, tokenPath, codeGrant(pkceSPA, values.Get("code"))).Want(http.StatusOK)

	if a := post(authorizePath+"?client_id="+pkceSPA.ID, with(codeRequest(pkceSPA), "client_id", "")); a.Status != http.StatusSeeOther {
		t.Errorf("the client in the address: %s", a.said())
	}
	for name, a := range map[string]answer{
		"twice":         r.visitor(t).ask(http.MethodPost, authorizePath+"?client_id="+pkceSPA.ID, formBody, "state=x&state=y", foreign...),
		"in both":       post(authorizePath+"?client_id="+pkceSPA.ID, codeRequest(pkceSPA)),
		"evil callback": v.get(post(authorizePath, with(codeRequest(pkceSPA), "redirect_uri", "https://evil.example/")).Header.Get("Location")),
	} {
		if a.Status != http.StatusBadRequest || a.Header.Get("Location") != "" {
			t.Errorf("%s: %s", name, a.said())
		}
	}
	// Everything else that is posted from another site stays refused.
	for _, path := range []string{verifyRedirectPath, logoutPath} {
		if a := post(path, url.Values{"client_id": {pkceSPA.ID}}); a.Status != http.StatusForbidden {
			t.Errorf("%s: %s", path, a.said())
		}
	}
}

// TestModesOfApps: an answer that a page would have to post doesn't reach an app
// on a device; it hears of that by a redirect.
func TestModesOfApps(t *testing.T) {
	r := newRig(t, webtest.Options{})
	v := r.signedInVisitor(t, r.newEmail())
	for _, mode := range []string{modeFormPost, modeWebMessage} {
		values := v.get(authorizeURL(with(codeRequest(native), "response_mode", mode))).answered(t, native.Callbacks[0], "?")
		if values.Get("error") != "invalid_request" || values.Has("code") || values.Get("state") != "s t" {
			t.Errorf("%s: the app gets %v", mode, values)
		}
	}
}
