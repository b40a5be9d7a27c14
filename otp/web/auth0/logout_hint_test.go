// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestLogoutByHint: as the end_session_endpoint that discovery names, a logout
// takes an ID token in place of a client id.
func TestLogoutByHint(t *testing.T) {
	const after, pageAfter = "https://spa.example.com/bye", "https://page.example.com/bye"
	symmetric := Client{ID: "hs", Secret: strings.Repeat("correct horse ", 3), Algorithm: HS256, LogoutURLs: []string{pageAfter}}
	twin := symmetric
	twin.ID, twin.LogoutURLs = "hs2", nil // with the same secret
	r := newRig(t, webtest.Options{}, withClients(regular, native, pkceSPA, symmetric, twin))
	beside := newRig(t, webtest.Options{Beside: r.Site, Origin: "https://there.example.com"}, withClients(regular))
	idToken := func(r *rig, c Client) string { return r.login(t, c, "openid").text("id_token") }
	rs, hs := idToken(r, regular), idToken(r, symmetric)
	access := r.login(t, regular, "openid").text("access_token")
	tampered := strings.Split(rs, ".")
	tampered[1] = strings.Split(idToken(r, native), ".")[1]
	const app = 0 // it isn't ours
	for _, test := range []struct {
		name   string
		query  url.Values
		status int
		target string
	}{
		{"RS256", url.Values{hintParameter: {rs}, afterLogoutParameter: {after}}, 302, after},
		{"HS256", url.Values{hintParameter: {hs}, afterLogoutParameter: {pageAfter}}, 302, pageAfter},
		{"with a state", url.Values{hintParameter: {rs}, afterLogoutParameter: {after}, "state": {"s"}}, 302, after + "?state=s"},
		{"HS256 where the client leads by itself", url.Values{hintParameter: {hs}}, 302, pageAfter},
		{"where the client leads by itself", url.Values{hintParameter: {rs}}, 302, after},
		{"with the client", url.Values{hintParameter: {rs}, clientParameter: {regular.ID}, afterLogoutParameter: {after}}, 302, after},
		{"with another client", url.Values{hintParameter: {rs}, clientParameter: {symmetric.ID}}, 400, ""},
		{"to another client's address", url.Values{hintParameter: {rs}, afterLogoutParameter: {pageAfter}}, 400, ""},
		{"twice", url.Values{hintParameter: {rs, hs}}, 400, ""},
		{"garbage with a client", url.Values{hintParameter: {"x.y.z"}, clientParameter: {regular.ID}, afterLogoutParameter: {after}}, 302, after},
		{"garbage", url.Values{hintParameter: {"x.y.z"}, afterLogoutParameter: {after}}, app, ""},
		{"nothing", url.Values{hintParameter: {""}}, app, ""},
		{"an access token", url.Values{hintParameter: {access}}, app, ""},
		{"tampered with", url.Values{hintParameter: {strings.Join(tampered, ".")}}, app, ""},
		{"another site's", url.Values{hintParameter: {idToken(beside, regular)}}, app, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := r.visitor(t).get(logoutPath + "?" + test.query.Encode())
			if test.status == app {
				if !a.FromApp() {
					t.Errorf("%s", a.said())
				}
				return
			}
			if a.FromApp() || a.Status != test.status || a.Header.Get("Location") != test.target {
				t.Errorf("%s", a.said())
			}
		})
	}
	t.Run("two clients with one secret", func(t *testing.T) {
		for range 20 { // the clients are tried in any order
			if client, known, err := r.dialect.hinted(t.Context(), hs); !known || err != nil || client.ID != symmetric.ID {
				t.Fatalf("client %q, %t, %v", client.ID, known, err)
			}
		}
	})
	t.Run("who is signed in is asked", func(t *testing.T) {
		v := r.signedInVisitor(t, r.newEmail())
		page := v.get(logoutPath + "?" + url.Values{hintParameter: {rs}, afterLogoutParameter: {after}, "state": {"s"}}.Encode())
		if !v.signedIn() {
			t.Fatal("it signs out by itself")
		}
		if a := v.confirm(page); a.Header.Get("Location") != after+"?state=s" || v.signedIn() {
			t.Errorf("%s", a.said())
		}
	})
	t.Run("posted", func(t *testing.T) {
		v := r.signedInVisitor(t, r.newEmail())
		a := v.submit(logoutPath, url.Values{hintParameter: {hs}, afterLogoutParameter: {pageAfter}})
		if a.Header.Get("Location") != pageAfter || v.signedIn() {
			t.Errorf("%s", a.said())
		}
	})
	t.Run("after the token's time", func(t *testing.T) {
		past := time.Now().Add(-48 * time.Hour).Unix()
		oldRS, err := r.Issuer.Sign(t.Context(), token.ID, map[string]any{"aud": regular.ID, "exp": past})
		if err != nil {
			t.Fatal(err)
		}
		oldHS, err := r.Issuer.SignBySecret([]byte(symmetric.Secret), token.ID, map[string]any{"aud": symmetric.ID, "exp": past})
		if err != nil {
			t.Fatal(err)
		}
		for hint, target := range map[string]string{oldRS: after, oldHS: pageAfter} {
			a := r.visitor(t).get(logoutPath + "?" + url.Values{hintParameter: {hint}, afterLogoutParameter: {target}}.Encode())
			if a.Header.Get("Location") != target {
				t.Errorf("%s", a.said())
			}
		}
	})
}
