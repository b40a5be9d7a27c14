// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// followLink has a link sent with these authParams, redeems it as the pages
// do, and returns the dialect's answer.
func (r *rig) followLink(t *testing.T, c Client, params fields) *http.Response {
	t.Helper()
	f := startEmail(c, r.newEmail()).with("send", "link")
	if params != nil {
		f = f.with("authParams", params)
	}
	r.post(t, startPath, f).Want(http.StatusOK)
	sealed, ok := strings.CutPrefix(r.In(t).Message().Link, webtest.Origin+testLinkPath)
	if !ok || strings.Contains(sealed, "example") {
		t.Fatal("no sealed link")
	}
	l, err := r.Service.OpenLink(sealed)
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.Service.VerifyLink(t.Context(), l, otp.Presented{Lifetime: 7 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return r.finishLink(l, v)
}

func (r *rig) finishLink(l otp.Link, v otp.Verification) *http.Response {
	w := httptest.NewRecorder()
	r.dialect.FinishLink(w, httptest.NewRequest(http.MethodPost, "/.otp/link", nil), l, v)
	return w.Result()
}

func TestLinkTarget(t *testing.T) {
	r := newRig(t, webtest.Options{SMS: true})
	for _, test := range []struct {
		name   string
		client Client
		params fields
		want   string // Location; empty: a page with 400
	}{
		{"registered", regular, fields{"redirect_uri": callback, "state": "a b&c"}, callback + "?state=a+b%26c"},
		{"registered with a query", regular, fields{"redirect_uri": callback + "?from=mail", "state": "s"}, callback + "?from=mail&state=s"},
		{"none", regular, fields{}, callback},
		{"no authParams", regular, nil, callback},
		{"native app", native, fields{"state": "s"}, "com.example.app://callback?state=s"},
		{"no callback", other, fields{"state": "s"}, "/"},
		{"not the client's", other, fields{"redirect_uri": callback}, ""},
		{"a longer one", regular, fields{"redirect_uri": callback + "/x"}, ""},
		{"another host", regular, fields{"redirect_uri": "https://spa.example.com.evil.example/callback"}, ""},
		{"another spelling", regular, fields{"redirect_uri": "https://SPA.example.com/callback"}, ""},
		{"with a user", regular, fields{"redirect_uri": "https://spa.example.com@evil.example/callback"}, ""},
		{"no scheme", regular, fields{"redirect_uri": "//evil.example"}, ""},
		{"script", regular, fields{"redirect_uri": "javascript:alert(1)"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			response := r.followLink(t, test.client, test.params)
			status := http.StatusSeeOther
			if test.want == "" {
				status = http.StatusBadRequest
			}
			if response.StatusCode != status || response.Header.Get("Location") != test.want {
				t.Errorf("%d to %q, want %d to %q", response.StatusCode, response.Header.Get("Location"), status, test.want)
			}
		})
	}
}

func TestLinkTokens(t *testing.T) {
	r := newRig(t, webtest.Options{SMS: true})
	for _, test := range []struct {
		responseType, scope string
		access, id          bool
		granted             string
	}{
		{"token", "openid email offline_access", true, false, "openid email"},
		{"id_token", "openid email", false, true, ""},
		{"token id_token", "openid email", true, true, "openid email"},
		{"id_token token", "email", true, false, "email"},
	} {
		t.Run(test.responseType+" "+test.scope, func(t *testing.T) {
			response := r.followLink(t, regular, fields{
				"redirect_uri": callback, "state": "s t", "nonce": "n", "response_type": test.responseType, "scope": test.scope,
			})
			target, fragment, _ := strings.Cut(response.Header.Get("Location"), "#")
			if target != callback || strings.Contains(fragment, "+") {
				t.Fatalf("leads to %q", target)
			}
			values, err := url.ParseQuery(fragment)
			if err != nil {
				t.Fatal(err)
			}
			if values.Get("state") != "s t" || values.Get("scope") != test.granted || values.Has("refresh_token") {
				t.Errorf("state %q, scope %q", values.Get("state"), values.Get("scope"))
			}
			if values.Has("access_token") != test.access || values.Has("id_token") != test.id {
				t.Errorf("access_token %t, id_token %t", values.Has("access_token"), values.Has("id_token"))
			}
			if test.access {
				if seconds, err := strconv.Atoi(values.Get("expires_in")); err != nil || !aDay(float64(seconds)) || values.Get("token_type") != "Bearer" {
					t.Errorf("%s for %s s", values.Get("token_type"), values.Get("expires_in"))
				}
				access := webtest.Bearer(values.Get("access_token"))
				r.do(t, http.MethodGet, userinfoPath, "", "", access...).Want(http.StatusOK)
			}
			if test.id {
				claims := r.verifyToken(t, values.Get("id_token"))
				if claims["nonce"] != "n" || claims["aud"] != regular.ID || claims["email_verified"] != true {
					t.Errorf("%v", claims)
				}
				if _, bound := claims["at_hash"]; bound != test.access {
					t.Errorf("at_hash %t", bound)
				}
			}
		})
	}
}

// TestLinkOfAnother has links that aren't this dialect's to finish, or not
// any more.
func TestLinkOfAnother(t *testing.T) {
	r := newRig(t, webtest.Options{SMS: true})
	for _, l := range []otp.Link{
		{Dialect: Name, Client: "gone", Payload: []byte("{}")},
		{Dialect: "portal", Client: regular.ID, Payload: []byte("{}")},
		{Dialect: Name, Client: regular.ID, Payload: []byte("no JSON")},
	} {
		response := r.finishLink(l, otp.Verification{})
		if response.StatusCode != http.StatusBadRequest || response.Header.Get("Location") != "" {
			t.Errorf("%d to %q", response.StatusCode, response.Header.Get("Location"))
		}
	}
}
