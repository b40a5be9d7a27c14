// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

const (
	ordersAPI  = "https://orders.example.com"
	stockAPI   = "urn:stock"
	defaultAPI = "https://api.example.com"
)

func verifySymmetric(t *testing.T, raw, secret string) map[string]any {
	t.Helper()
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := signed.Verify([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// linkFragment follows a link and returns what comes back in the fragment.
func (r *rig) linkFragment(t *testing.T, c Client, params fields) url.Values {
	t.Helper()
	target, err := url.Parse(r.followLink(t, c, params).Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	values, err := url.ParseQuery(target.Fragment)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestAudience(t *testing.T) {
	apis := Client{ID: "web", Secret: "correct horse", Audiences: []string{ordersAPI, stockAPI}, Callbacks: []string{callback}}
	plain := newRig(t, webtest.Options{}, withClients(apis, native))
	withDefault := newRig(t, webtest.Options{}, withClients(apis, native), func(c *Config) { c.DefaultAudience = defaultAPI })
	const issuer, userinfo = webtest.Origin + "/", webtest.Origin + userinfoPath
	for _, test := range []struct {
		name         string
		rig          *rig
		client       Client
		asked, scope string
		want         string // aud; empty: refused
	}{
		{"none", plain, apis, "", "email", issuer},
		{"none, with openid", plain, apis, "", "openid", "[" + issuer + " " + userinfo + "]"},
		{"this site", plain, apis, issuer, "email", issuer},
		{"userinfo", plain, apis, userinfo, "openid", "[" + issuer + " " + userinfo + "]"},
		{"an API", plain, apis, ordersAPI, "email", ordersAPI},
		{"an API, with openid", plain, apis, stockAPI, "openid", "[" + stockAPI + " " + userinfo + "]"},
		{"another client's API", plain, native, ordersAPI, "openid", ""},
		{"nobody's API", plain, apis, "https://else.example.com", "openid", ""},
		{"almost an API", plain, apis, ordersAPI + "/", "openid", ""},
		{"the default", withDefault, native, "", "email", defaultAPI},
		{"the default by name", withDefault, native, defaultAPI, "openid", "[" + defaultAPI + " " + userinfo + "]"},
		{"not the default", withDefault, apis, ordersAPI, "email", ordersAPI},
		{"this site instead of the default", withDefault, apis, issuer, "email", issuer},
	} {
		t.Run(test.name, func(t *testing.T) {
			email := test.rig.newEmail()
			f := redeem(test.client, "email", email, test.rig.emailCode(t, test.client, email)).
				with("scope", test.scope+" offline_access").with("audience", test.asked)
			a := test.rig.post(t, tokenPath, f)
			if test.want == "" {
				a.wantRefusal(t, 403, "access_denied", "Service not found: "+test.asked)
				test.rig.post(t, tokenPath, f.with("audience", nil)).Want(http.StatusOK) // the code isn't lost
				return
			}
			a.Want(http.StatusOK)
			again := test.rig.post(t, tokenPath, refresh(test.client, a.text("refresh_token")))
			again.Want(http.StatusOK)
			for _, a := range []answer{a, again} {
				if got := fmt.Sprint(test.rig.verifyToken(t, a.text("access_token"))["aud"]); got != test.want {
					t.Errorf("aud %s, want %s", got, test.want)
				}
				info := http.StatusOK
				if got := test.want; got != issuer && !strings.Contains(got, userinfo) {
					info = http.StatusUnauthorized // it is for an API alone
				}
				test.rig.do(t, http.MethodGet, userinfoPath, "", "", bearer(a)...).Want(info)
			}
		})
	}
}

// TestLinkAudience has the audience of a start's authParams.
func TestLinkAudience(t *testing.T) { // A47
	apis := Client{ID: "web", Secret: "correct horse", Audiences: []string{ordersAPI}, Callbacks: []string{callback}}
	noImplicit := Client{ID: "code", Callbacks: []string{callback}, Grants: []Grant{GrantOTP, GrantCode}}
	r := newRig(t, webtest.Options{}, withClients(apis, noImplicit))
	params := fields{"response_type": "token", "scope": "email", "audience": ordersAPI}
	if got := r.verifyToken(t, r.linkFragment(t, apis, params).Get("access_token"))["aud"]; got != ordersAPI {
		t.Errorf("aud %v", got)
	}
	if got := r.linkFragment(t, apis, params.with("audience", stockAPI)); got.Get("error") != "access_denied" || got.Get("access_token") != "" {
		t.Errorf("another API: %v", got)
	}
	if got := r.linkFragment(t, noImplicit, params.with("audience", nil)); got.Get("error") != "unauthorized_client" || got.Get("access_token") != "" {
		t.Errorf("a grant that the client hasn't: %v", got)
	}
}
