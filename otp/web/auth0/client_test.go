// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

func TestResolve(t *testing.T) {
	keys := newSigner(t).Keys
	noOTP := []Grant{GrantRefresh, GrantCode, GrantImplicit}
	for name, test := range map[string]struct {
		client Client
		kind   ClientType
		grants []Grant
	}{
		"a secret":           {Client{Secret: "x"}, Regular, Grants},
		"keys":               {Client{Keys: keys}, Regular, Grants},
		"neither":            {Client{}, Native, Grants},
		"spa":                {Client{Type: SPA}, SPA, noOTP},
		"grants of its own":  {Client{Grants: []Grant{GrantOTP}}, Native, []Grant{GrantOTP}},
		"spa of its own":     {Client{Type: SPA, Grants: []Grant{GrantCode}}, SPA, []Grant{GrantCode}},
		"regular by no word": {Client{Secret: "x", Type: Regular}, Regular, Grants},
	} {
		c := test.client.resolve()
		if c.Type != test.kind || !slices.Equal(c.Grants, test.grants) || c.Algorithm != RS256 {
			t.Errorf("%s: %s, %v, %s", name, c.Type, c.Grants, c.Algorithm)
		}
	}
}

func TestGrants(t *testing.T) { // A28
	otpOnly := Client{ID: "otp", Grants: []Grant{GrantOTP}}
	refreshOnly := Client{ID: "refresh", Grants: []Grant{GrantRefresh}}
	r := newRig(t, webtest.Options{}, withClients(otpOnly, refreshOnly))
	a := r.login(t, otpOnly, "openid offline_access")
	if a.text("refresh_token") != "" || a.text("scope") != "openid" {
		t.Errorf("a refresh token that can't be used; scope %q", a.text("scope"))
	}
	r.post(t, tokenPath, refresh(otpOnly, "x")).
		wantRefusal(t, 403, "unauthorized_client", "Grant type 'refresh_token' not allowed for the client.")
	r.post(t, tokenPath, redeem(refreshOnly, "email", "a@example.org", "123456")).
		wantRefusal(t, 403, "unauthorized_client", "Grant type 'http://auth0.com/oauth/grant-type/passwordless/otp' not allowed for the client.")
	r.post(t, tokenPath, refresh(refreshOnly, "x")).
		wantRefusal(t, 403, "invalid_grant", "Unknown or invalid refresh token")
}

func TestConnections(t *testing.T) { // A6
	r := newRig(t, webtest.Options{SMS: true}, func(c *Config) { c.Connections = []otp.Channel{otp.SMS} })
	r.post(t, startPath, startEmail(regular, r.newEmail())).wantRefusal(t, 400, "bad.connection", "Connection is disabled")
	r.smsCode(t, regular, r.newPhone())
}

// TestBasic has clients that prove themselves by an Authorization header.
func TestBasic(t *testing.T) {
	odd := Client{ID: "an odd:id", Secret: "100% +secret"}
	r := newRig(t, webtest.Options{}, withClients(regular, native, odd))
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
	}
	escaped := func(c Client) string { return basic(url.QueryEscape(c.ID), url.QueryEscape(c.Secret)) }
	for name, test := range map[string]struct {
		client        Client
		authorization string
		change        func(fields) fields
		good          bool
	}{
		"right":                     {regular, escaped(regular), nil, true},
		"odd":                       {odd, escaped(odd), nil, true},
		"and the id":                {regular, escaped(regular), func(f fields) fields { return f.with("client_id", regular.ID) }, true},
		"public":                    {native, escaped(native), nil, true},
		"wrong":                     {regular, basic(regular.ID, "wrong"), nil, false},
		"not escaped":               {odd, basic("an odd%3Aid", odd.Secret), nil, false},
		"and another id":            {regular, escaped(regular), func(f fields) fields { return f.with("client_id", native.ID) }, false},
		"and a secret":              {regular, escaped(regular), func(f fields) fields { return f.with("client_secret", regular.Secret) }, false},
		"and an assertion":          {regular, escaped(regular), func(f fields) fields { return asserted(f, "x.y.z") }, false},
		"a public client's secret":  {native, basic(native.ID, "x"), nil, false},
		"a secret client's nothing": {regular, basic(regular.ID, ""), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			email := r.newEmail()
			f := redeem(test.client, "email", email, r.emailCode(t, test.client, email)).
				with("client_id", nil).with("client_secret", nil)
			if test.change != nil {
				f = test.change(f)
			}
			a := r.do(t, http.MethodPost, tokenPath, formBody, f.form(), "Authorization", test.authorization)
			if test.good {
				a.Want(http.StatusOK)
				return
			}
			a.wantRefusal(t, 401, "invalid_client", invalid401)
			if a.Header.Get("WWW-Authenticate") != `Basic realm="auth0"` {
				t.Errorf("WWW-Authenticate %q", a.Header.Get("WWW-Authenticate"))
			}
		})
	}
	if a := r.do(t, http.MethodPost, tokenPath, formBody, "grant_type=foo", "Authorization", basic("theirs", "x")); !a.FromApp() {
		t.Error("a foreign client isn't the app's")
	}
}

// TestForwardedFor has the limit of a network address counted by the user's
// address where the client may name it.
func TestForwardedFor(t *testing.T) { // A37
	s := newSigner(t)
	trusted := Client{ID: "trusted", Secret: "correct horse", TrustForwardedFor: true}
	public := Client{ID: "public", TrustForwardedFor: true}
	for name, test := range map[string]struct {
		client Client
		proof  func(fields) fields
		header string
		own    bool // the user's own limit
	}{
		"a secret":        {trusted, nil, "192.0.2.7", true},
		"IPv6":            {trusted, nil, " 2001:db8::7 ", true},
		"an assertion":    {s.Client, func(f fields) fields { return asserted(f, s.sign(t, "RS256", s.rsa, s.claims())) }, "192.0.2.7", true},
		"the server's":    {trusted, nil, "192.0.2.1", false},
		"mapped":          {trusted, nil, "::ffff:192.0.2.1", false},
		"no address":      {trusted, nil, "192.0.2.7, 192.0.2.8", false},
		"not trusted":     {regular, nil, "192.0.2.7", false},
		"a public client": {public, nil, "192.0.2.7", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, webtest.Options{Frozen: true, NoKey: true, ClientIP: []otp.Throttle{{Events: 1, Window: time.Hour}}},
				withClients(trusted, public, regular, s.Client))
			start := func(headers ...string) answer {
				f := startEmail(test.client, r.newEmail())
				if test.proof != nil {
					f = test.proof(f)
				}
				return r.post(t, startPath, f, headers...)
			}
			start().Want(http.StatusOK)
			start().Want(http.StatusTooManyRequests)
			forwarded := start("auth0-forwarded-for", test.header)
			if !test.own {
				forwarded.Want(http.StatusTooManyRequests)
				return
			}
			forwarded.Want(http.StatusOK)
			start("auth0-forwarded-for", test.header).Want(http.StatusTooManyRequests)
		})
	}
}

// TestForwardedForNeedsProof: who can't prove to be the client uses up nobody's
// limit.
func TestForwardedForNeedsProof(t *testing.T) {
	trusted := Client{ID: "trusted", Secret: "correct horse", TrustForwardedFor: true}
	r := newRig(t, webtest.Options{Frozen: true, NoKey: true, ClientIP: []otp.Throttle{{Events: 1, Window: time.Hour}}}, withClients(trusted))
	for range 3 {
		r.post(t, startPath, startEmail(trusted, r.newEmail()).with("client_secret", "wrong"), "auth0-forwarded-for", "192.0.2.7").
			wantRefusal(t, 401, "invalid_client", invalid401)
	}
	r.post(t, startPath, startEmail(trusted, r.newEmail()), "auth0-forwarded-for", "192.0.2.7").Want(http.StatusOK)
}

// TestVerifyForwardedFor has it at /oauth/token too.
func TestVerifyForwardedFor(t *testing.T) { // A37
	trusted := Client{ID: "trusted", Secret: "correct horse", TrustForwardedFor: true}
	r := newRig(t, webtest.Options{Frozen: true, NoKey: true, ClientIP: []otp.Throttle{{Events: 1, Window: time.Hour}}}, withClients(trusted))
	verify := func(headers ...string) answer {
		return r.post(t, tokenPath, redeem(trusted, "email", "nobody@example.org", "123456"), headers...)
	}
	for range 6 {
		verify().Want(http.StatusForbidden)
	}
	limited := verify()
	limited.wantRefusal(t, 429, "too_many_requests", "Rate limit exceeded")
	if limited.Header.Get(limitHeader) != "6" || limited.Header.Get(remainingHeader) != "0" {
		t.Errorf("limit %q, remaining %q", limited.Header.Get(limitHeader), limited.Header.Get(remainingHeader))
	}
	verify("auth0-forwarded-for", "192.0.2.7").Want(http.StatusForbidden)
}

func TestHS256(t *testing.T) {
	symmetric := Client{ID: "symmetric", Secret: strings.Repeat("correct horse ", 3), Algorithm: HS256, Callbacks: []string{callback}}
	r := newRig(t, webtest.Options{}, withClients(symmetric))
	a := r.login(t, symmetric, "openid email offline_access")
	again := r.post(t, tokenPath, refresh(symmetric, a.text("refresh_token")))
	again.Want(http.StatusOK)
	fragment := r.linkFragment(t, symmetric, fields{"response_type": "id_token", "scope": "openid", "nonce": "n"})
	for name, raw := range map[string]string{"code": a.text("id_token"), "refresh": again.text("id_token"), "link": fragment.Get("id_token")} {
		claims := verifySymmetric(t, raw, symmetric.Secret)
		if claims["iss"] != webtest.Origin+"/" || claims["aud"] != symmetric.ID || (claims["nonce"] == "n") != (name == "link") {
			t.Errorf("%s: %v", name, claims)
		}
	}
	r.verifyToken(t, a.text("access_token")) // is the realm's all the same
	info := r.do(t, http.MethodGet, userinfoPath, "", "", webtest.Bearer(a.text("id_token"))...)
	if !info.FromApp() {
		t.Error("an ID token is taken for an access token")
	}
	discovered := r.do(t, http.MethodGet, discoveryPath, "", "")
	if !strings.Contains(discovered.Body, `"id_token_signing_alg_values_supported":["RS256","HS256"]`) {
		t.Error(discovered.Body)
	}
}
