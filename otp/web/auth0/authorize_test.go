// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// pkceSPA is a page of the usual kind; the callback is its own.
var pkceSPA = spaWithOrigin

// codeRequest is what a client with PKCE sends the browser to /authorize with.
func codeRequest(c Client) url.Values {
	return url.Values{
		"client_id": {c.ID}, "response_type": {"code"}, "redirect_uri": {c.Callbacks[0]}, "scope": {"openid email offline_access"},
		"state": {"s t"}, "nonce": {"n"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"},
	}
}

func with(values url.Values, name, value string) url.Values {
	changed := maps.Clone(values)
	changed.Set(name, value)
	if value == "" {
		changed.Del(name)
	}
	return changed
}

func authorizeURL(values url.Values) string { return authorizePath + "?" + values.Encode() }

// codeGrant redeems a code.
func codeGrant(c Client, code string) fields {
	f := fields{"grant_type": grantCode, "client_id": c.ID, "code": code, "redirect_uri": c.Callbacks[0], "code_verifier": verifier}
	if c.Secret != "" {
		f["client_secret"] = c.Secret
	}
	return f
}

// signedInVisitor has a session at the site.
func (r *rig) signedInVisitor(t *testing.T, email string) *visitor {
	t.Helper()
	v := r.visitor(t)
	v.signIn(v.get(authorizeURL(codeRequest(pkceSPA))), email)
	if !v.signedIn() {
		t.Fatal("not signed in")
	}
	return v
}

// code returns an authorization code of who is signed in.
func (v *visitor) code(values url.Values) string {
	v.Helper()
	return v.get(authorizeURL(values)).answered(v.T, values.Get("redirect_uri"), "?").Get("code")
}

// TestAuthorize signs in at the site for a client, which redeems its code.
func TestAuthorize(t *testing.T) {
	for _, client := range []Client{pkceSPA, regular, native} {
		t.Run(client.ID, func(t *testing.T) {
			r := newRig(t, webtest.Options{})
			v, email := r.visitor(t), r.newEmail()
			back := v.signIn(v.get(authorizeURL(codeRequest(client))), email)
			if !strings.HasPrefix(back, authorizePath+"?") {
				t.Fatalf("the login leads to %q", back)
			}
			answer := v.get(back)
			if answer.Status != http.StatusFound {
				t.Errorf("status %d", answer.Status)
			}
			values := answer.answered(t, client.Callbacks[0], "?")
			if values.Get("state") != "s t" || values.Get("iss") != webtest.Origin+"/" || len(values) != 3 {
				t.Errorf("the client gets %v", slicesOf(values))
			}
			tokens := r.post(t, tokenPath, codeGrant(client, values.Get("code")))
			tokens.Want(http.StatusOK)
			claims := r.verifyToken(t, tokens.text("id_token"))
			if claims["nonce"] != "n" || claims["aud"] != client.ID || claims["email"] != email || claims["auth_time"] == nil {
				t.Errorf("claims %v", claims)
			}
			if tokens.text("scope") != "openid email offline_access" {
				t.Errorf("scope %q", tokens.text("scope"))
			}
			r.do(t, http.MethodGet, userinfoPath, "", "", bearer(tokens)...).Want(http.StatusOK)
			r.post(t, tokenPath, refresh(client, tokens.text("refresh_token"))).Want(http.StatusOK)

			// The next client needs no login.
			if values := v.get(authorizeURL(codeRequest(client))).answered(t, client.Callbacks[0], "?"); values.Get("code") == "" {
				t.Error("no code for who is signed in")
			}
			r.NoMessage()
		})
	}
}

func slicesOf(values url.Values) []string {
	var names []string
	for name := range values {
		names = append(names, name)
	}
	return names
}

// TestCodeGrant has codes that aren't the client's to redeem, or not any more.
func TestCodeGrant(t *testing.T) {
	r := newRig(t, webtest.Options{})
	v := r.signedInVisitor(t, r.newEmail())
	both := with(codeRequest(pkceSPA), "client_id", regular.ID)
	for _, test := range []struct {
		name    string
		request url.Values
		grant   func(code string) fields
		want    *refusal // nil: tokens
	}{
		{"right", codeRequest(pkceSPA), func(c string) fields { return codeGrant(pkceSPA, c) }, nil},
		{"no verifier", codeRequest(pkceSPA), func(c string) fields { return codeGrant(pkceSPA, c).with("code_verifier", nil) }, errVerifier},
		{"another verifier", codeRequest(pkceSPA), func(c string) fields { return codeGrant(pkceSPA, c).with("code_verifier", verifier+"x") }, errVerifier},
		{"the challenge itself", codeRequest(pkceSPA), func(c string) fields { return codeGrant(pkceSPA, c).with("code_verifier", challenge()) }, errVerifier},
		{"another client", codeRequest(pkceSPA), func(c string) fields { return codeGrant(regular, c) }, errBadCode},
		{"no redirect_uri", codeRequest(pkceSPA), func(c string) fields { return codeGrant(pkceSPA, c).with("redirect_uri", nil) }, errRedirectURI},
		{"another redirect_uri", both, func(c string) fields { return codeGrant(regular, c).with("redirect_uri", callback+"?from=mail") }, errRedirectURI},
		{"unnamed redirect_uri", with(codeRequest(pkceSPA), "redirect_uri", ""), func(c string) fields { return codeGrant(pkceSPA, c).with("redirect_uri", nil) }, nil},
		{"garbage", codeRequest(pkceSPA), func(string) fields { return codeGrant(pkceSPA, "garbage") }, errBadCode},
		{"a secret and no PKCE", with(with(both, "code_challenge", ""), "code_challenge_method", ""), func(c string) fields { return codeGrant(regular, c).with("code_verifier", nil) }, nil},
		{"PKCE that was taken out", with(with(both, "code_challenge", ""), "code_challenge_method", ""), func(c string) fields { return codeGrant(regular, c) }, errVerifier},
		{"no secret", both, func(c string) fields { return codeGrant(regular, c).with("client_secret", nil) }, errInvalidClient},
	} {
		t.Run(test.name, func(t *testing.T) {
			code := v.get(authorizeURL(test.request)).answered(t, callback, "?").Get("code")
			a := r.post(t, tokenPath, test.grant(code))
			if test.want == nil {
				a.Want(http.StatusOK)
				return
			}
			a.wantRefusal(t, test.want.status, test.want.Code, test.want.Description)
			// What a thief tries spoils nothing.
			client := pkceSPA
			if test.request.Get("client_id") == regular.ID {
				client = regular
			}
			grant := codeGrant(client, code)
			if !test.request.Has("code_challenge") {
				grant = grant.with("code_verifier", nil)
			}
			r.post(t, tokenPath, grant).Want(http.StatusOK)
		})
	}
}

// TestCodeTwice redeems a code again, in any form: the session that it opened
// ends.
func TestCodeTwice(t *testing.T) {
	r := newRig(t, webtest.Options{})
	v := r.signedInVisitor(t, r.newEmail())
	code := v.code(codeRequest(pkceSPA))
	first := r.post(t, tokenPath, codeGrant(pkceSPA, code))
	first.Want(http.StatusOK)
	r.do(t, http.MethodGet, userinfoPath, "", "", bearer(first)...).Want(http.StatusOK)
	r.post(t, tokenPath, codeGrant(pkceSPA, code)).wantRefusal(t, 403, "invalid_grant", errBadCode.Description)
	r.do(t, http.MethodGet, userinfoPath, "", "", bearer(first)...).Want(http.StatusUnauthorized)
	r.post(t, tokenPath, refresh(pkceSPA, first.text("refresh_token"))).Want(http.StatusForbidden)
	if !v.signedIn() {
		t.Error("the browser is signed out")
	}
}

// TestCodeLifetime lets time pass.
func TestCodeLifetime(t *testing.T) {
	r := newRig(t, webtest.Options{Frozen: true})
	v := r.signedInVisitor(t, r.newEmail())
	code := v.code(codeRequest(pkceSPA))
	r.Advance(codeLifetime + time.Second)
	r.post(t, tokenPath, codeGrant(pkceSPA, code)).wantRefusal(t, 403, "invalid_grant", errBadCode.Description)
}

// TestCodeOfEndedSession ends the browser's session before its code is redeemed.
func TestCodeOfEndedSession(t *testing.T) {
	r := newRig(t, webtest.Options{})
	v := r.signedInVisitor(t, r.newEmail())
	code := v.code(codeRequest(pkceSPA))
	v.confirm(v.get(logoutPath + "?client_id=" + pkceSPA.ID))
	if v.signedIn() {
		t.Fatal("still signed in")
	}
	r.post(t, tokenPath, codeGrant(pkceSPA, code)).wantRefusal(t, 403, "invalid_grant", errBadCode.Description)
}

// TestClientSessions: each client has a session of its own, which the person sees
// and can end.
func TestClientSessions(t *testing.T) {
	r := newRig(t, webtest.Options{})
	v := r.signedInVisitor(t, r.newEmail())
	tokens := r.post(t, tokenPath, codeGrant(pkceSPA, v.code(codeRequest(pkceSPA))))
	implicit := v.get(authorizeURL(with(codeRequest(pkceSPA), "response_type", "token"))).answered(t, callback, "#")
	list := v.get(webtest.PagesPath + "/sessions")
	if n := strings.Count(list.Body, `name="session"`); n != 2 {
		t.Errorf("%d sessions are listed besides the browser's, want two of the client", n)
	}
	v.submit(webtest.PagesPath+"/logout", url.Values{"everywhere": {"1"}})
	for _, access := range []string{tokens.text("access_token"), implicit.Get("access_token")} {
		r.do(t, http.MethodGet, userinfoPath, "", "", webtest.Bearer(access)...).Want(http.StatusUnauthorized)
	}
}

// TestManyCodes: a browser that asks on and on fills no store, and what a client
// asked for last is good.
func TestManyCodes(t *testing.T) {
	r := newRig(t, webtest.Options{})
	v := r.signedInVisitor(t, r.newEmail())
	first := v.code(codeRequest(pkceSPA))
	var codes []string
	for range otp.MaxChallenges {
		codes = append(codes, v.code(codeRequest(pkceSPA)))
	}
	r.post(t, tokenPath, codeGrant(pkceSPA, first)).Want(http.StatusForbidden)
	for _, code := range codes {
		r.post(t, tokenPath, codeGrant(pkceSPA, code)).Want(http.StatusOK)
	}
}

// TestAuthorizeRefusals has requests that the client hears an error of.
func TestAuthorizeRefusals(t *testing.T) {
	r := newRig(t, webtest.Options{}, withClients(pkceSPA, regular, Client{ID: "plain", Secret: "x", Callbacks: []string{callback}, Grants: []Grant{GrantOTP}}))
	request := codeRequest(pkceSPA)
	for _, test := range []struct {
		name      string
		request   url.Values
		separator string
		want      string
	}{
		{"no response_type", with(request, "response_type", ""), "?", "invalid_request"},
		{"unknown response_type", with(request, "response_type", "magic"), "?", "unsupported_response_type"},
		{"none with others", with(request, "prompt", "none login"), "?", "invalid_request"},
		{"nobody is signed in", with(request, "prompt", "none"), "?", "login_required"},
		{"no challenge", with(with(request, "code_challenge", ""), "code_challenge_method", ""), "?", "invalid_request"},
		{"method alone", with(request, "code_challenge", ""), "?", "invalid_request"},
		{"plain", with(request, "code_challenge_method", "plain"), "?", "invalid_request"},
		{"plain by default", with(request, "code_challenge_method", ""), "?", "invalid_request"},
		{"a short challenge", with(request, "code_challenge", "abc"), "?", "invalid_request"},
		{"no digest", with(request, "code_challenge", strings.Repeat("*", 43)), "?", "invalid_request"},
		{"no nonce", with(with(request, "response_type", "id_token"), "nonce", ""), "#", "invalid_request"},
		{"tokens in the query", with(with(request, "response_type", "token"), "response_mode", "query"), "?", "invalid_request"},
		{"unknown mode", with(request, "response_mode", "smoke"), "?", "invalid_request"},
		{"audience", with(request, "audience", "https://api.evil.example"), "?", "access_denied"},
		{"max_age", with(request, "max_age", "soon"), "?", "invalid_request"},
		{"request object", with(request, "request", "x"), "?", "request_not_supported"},
		{"code isn't granted", with(request, "client_id", "plain"), "?", "unauthorized_client"},
		{"implicit isn't granted", with(with(request, "client_id", "plain"), "response_type", "token"), "#", "unauthorized_client"},
		{"ticket", with(request, "login_ticket", "x"), "?", "access_denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			values := r.visitor(t).get(authorizeURL(test.request)).answered(t, callback, test.separator)
			if values.Get("error") != test.want || values.Get("state") != "s t" || values.Get("iss") != webtest.Origin+"/" || values.Get("error_description") == "" || values.Has("code") {
				t.Errorf("the client gets %v", values)
			}
		})
	}
}

// TestAuthorizePages has requests that nobody but the person hears of.
func TestAuthorizePages(t *testing.T) {
	r := newRig(t, webtest.Options{})
	v := r.signedInVisitor(t, r.newEmail())
	request := codeRequest(pkceSPA)
	for _, uri := range hostileURIs {
		a := v.get(authorizeURL(with(request, "redirect_uri", uri)))
		if a.Status != http.StatusBadRequest || a.Header.Get("Location") != "" || !strings.Contains(a.Body, "Callback URL mismatch") {
			t.Errorf("%q: %s", uri, a.said())
		}
	}
	for name, path := range map[string]string{
		"twice":   authorizeURL(request) + "&scope=openid",
		"clients": authorizeURL(request) + "&client_id=theirs",
	} {
		if a := v.get(path); a.Status != http.StatusBadRequest || a.Header.Get("Location") != "" {
			t.Errorf("%s: %s", name, a.said())
		}
	}
	// A script of another client must not read a code that isn't for it.
	for _, headers := range [][]string{
		{"Origin", spaOrigin, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, {"Origin", spaOrigin}, {"Sec-Fetch-Mode", "no-cors"},
	} {
		a := v.get(authorizeURL(with(request, "response_mode", "form_post")), headers...)
		if a.Status != http.StatusBadRequest || strings.Contains(a.Body, "code") && strings.Contains(a.Body, "value=") {
			t.Errorf("%v: %s", headers, a.said())
		}
	}
	if a := v.ask(http.MethodHead, authorizeURL(request), "", ""); a.Status != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %s", a.said())
	}
}

// TestResponseTypes asks for all that can come together.
func TestResponseTypes(t *testing.T) {
	r := newRig(t, webtest.Options{})
	v := r.signedInVisitor(t, r.newEmail())
	for _, responseType := range []string{
		"code", "token", "id_token", "token id_token", "id_token token", "code id_token", "code token", "code id_token token", "token code id_token",
	} {
		t.Run(responseType, func(t *testing.T) {
			separator := "#"
			if responseType == "code" {
				separator = "?"
			}
			a := v.get(authorizeURL(with(codeRequest(pkceSPA), "response_type", responseType)))
			values := a.answered(t, callback, separator)
			for name, asked := range map[string]string{"code": "code", "access_token": "token", "id_token": "id_token"} {
				want := false
				for _, each := range strings.Fields(responseType) {
					want = want || each == asked
				}
				if values.Has(name) != want {
					t.Errorf("%s: %t", name, values.Has(name))
				}
			}
			if values.Has("refresh_token") || strings.Contains(values.Get("scope"), scopeOffline) {
				t.Error("a token that lives on")
			}
			if values.Has("id_token") {
				claims := r.verifyToken(t, values.Get("id_token"))
				_, code := claims["c_hash"]
				_, access := claims["at_hash"]
				if claims["nonce"] != "n" || code != values.Has("code") || access != values.Has("access_token") {
					t.Errorf("claims %v", claims)
				}
			}
			if values.Has("code") {
				r.post(t, tokenPath, codeGrant(pkceSPA, values.Get("code"))).Want(http.StatusOK)
			}
		})
	}
}

// TestResponseModes has the ways that the answer takes.
func TestResponseModes(t *testing.T) {
	r := newRig(t, webtest.Options{})
	v := r.signedInVisitor(t, r.newEmail())
	request := with(codeRequest(pkceSPA), "state", `"><script>alert(1)</script>`)
	if values := v.get(authorizeURL(with(request, "response_mode", "fragment"))).answered(t, callback, "#"); values.Get("code") == "" {
		t.Error("fragment: no code")
	}
	post := v.get(authorizeURL(with(request, "response_mode", "form_post")))
	action, form := post.formOf(t)
	if action != callback || form.Get("state") != request.Get("state") || form.Get("iss") != webtest.Origin+"/" || form.Get("code") == "" {
		t.Errorf("form_post to %s: %v", action, form)
	}
	message := v.get(authorizeURL(with(with(request, "response_mode", "web_message"), "prompt", "none")))
	data := regexp.MustCompile(`data-target="([^"]*)" data-response="([^"]*)"`).FindStringSubmatch(message.Body)
	if data == nil || data[1] != spaOrigin || !strings.Contains(html.UnescapeString(data[2]), `"code":"`) ||
		!strings.Contains(html.UnescapeString(data[2]), `"iss":"`+webtest.Origin+`/"`) {
		t.Errorf("web_message: %s", message.Body)
	}
	if policy := message.Header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "frame-ancestors "+spaOrigin) {
		t.Errorf("policy %q", policy)
	}
	for _, a := range []answer{post, message} {
		if strings.Contains(a.Body, "<script>alert") || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("the page isn't safe: %s", a.Body)
		}
	}
	if a := r.visitor(t).get(authorizeURL(with(request, "response_mode", "web_message"))); !strings.Contains(a.Body, "login_required") {
		t.Errorf("a frame of nobody: %s", a.said())
	}
}

// TestPrompt has requests that ask those who are signed in to do so again.
func TestPrompt(t *testing.T) {
	r := newRig(t, webtest.Options{})
	email := r.newEmail()
	v := r.signedInVisitor(t, email)
	if values := v.get(authorizeURL(with(codeRequest(pkceSPA), "prompt", "none"))).answered(t, callback, "?"); values.Get("code") == "" {
		t.Error("none: no code")
	}
	before := v.cookies["__Host-otp"]
	login := v.get(authorizeURL(with(codeRequest(pkceSPA), "prompt", "login")))
	back := v.signIn(login, email)
	if values := v.get(back).answered(t, callback, "?"); values.Get("code") == "" {
		t.Error("login: no code")
	}
	if v.cookies["__Host-otp"] == before {
		t.Error("the session is the same")
	}
	for _, ask := range []url.Values{with(codeRequest(pkceSPA), "max_age", "100000")} {
		if values := v.get(authorizeURL(ask)).answered(t, callback, "?"); values.Get("code") == "" {
			t.Error("max_age: no code")
		}
	}
}

// TestOldLogin has a session that is too old for what a request demands.
func TestOldLogin(t *testing.T) {
	r := newRig(t, webtest.Options{})
	email := r.newEmail()
	v := r.signedInVisitor(t, email)
	x, err := r.dialect.Pages.Session(v.request(t))
	if err != nil {
		t.Fatal(err)
	}
	now := x.Created.Add(time.Minute)
	for name, test := range map[string]struct {
		q    authorizeRequest
		want bool
	}{
		"any":                   {authorizeRequest{maxAge: anyAge}, true},
		"young enough":          {authorizeRequest{maxAge: time.Minute}, true},
		"too old":               {authorizeRequest{maxAge: 30 * time.Second}, false},
		"again":                 {authorizeRequest{maxAge: anyAge, fresh: true}, false},
		"again, not since then": {authorizeRequest{maxAge: anyAge, fresh: true, asked: now}, false},
		"again, and did":        {authorizeRequest{maxAge: anyAge, fresh: true, asked: x.Created.Add(-time.Second)}, true},
		"too old, and did":      {authorizeRequest{maxAge: 0, asked: x.Created.Add(-time.Second)}, true},
	} {
		if got := test.q.holds(x, now); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	asked := r.dialect.sealAsked(pkceSPA, time.Now().Add(-time.Minute))
	if r.dialect.openAsked(pkceSPA, asked).IsZero() || !r.dialect.openAsked(regular, asked).IsZero() {
		t.Error("the time isn't the client's alone")
	}
	if !r.dialect.openAsked(pkceSPA, r.dialect.sealAsked(pkceSPA, time.Now().Add(-2*requestLifetime))).IsZero() {
		t.Error("a time of long ago counts")
	}
}

// request is one with the browser's cookies.
func (v *visitor) request(t *testing.T) *http.Request {
	t.Helper()
	r := webtest.Request(http.MethodGet, authorizePath, "")
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// TestLongRequest goes through the login with more than a path carries.
func TestLongRequest(t *testing.T) {
	r := newRig(t, webtest.Options{})
	v := r.visitor(t)
	state := strings.Repeat("state", 400)
	back := v.signIn(v.get(authorizeURL(with(codeRequest(pkceSPA), "state", state))), r.newEmail())
	if strings.Contains(back, "state") {
		t.Fatalf("the login leads to %.80q", back)
	}
	if values := v.get(back).answered(t, callback, "?"); values.Get("state") != state || values.Get("code") == "" {
		t.Errorf("the client gets %v", slicesOf(values))
	}
	other := r.signedInVisitor(t, r.newEmail())
	if a := other.get(back); a.Status != http.StatusBadRequest {
		if values := a.answered(t, callback, "?"); values.Has("code") {
			t.Error("another browser goes on with the request")
		}
	}
	if a := r.visitor(t).get(authorizeURL(with(codeRequest(pkceSPA), "state", strings.Repeat("x", 3000)))); a.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("too long: %s", a.said())
	}
}

// TestSecondFactorFirst: whoever the directory demands a second factor of gets no
// tokens without.
func TestSecondFactorFirst(t *testing.T) {
	r := newRig(t, webtest.Options{Domain: func(c *otp.Config) { c.Directory = strict{} }})
	v := r.visitor(t)
	back := v.signIn(v.get(authorizeURL(codeRequest(pkceSPA))), r.newEmail())
	a := v.get(back)
	if !strings.HasPrefix(a.Header.Get("Location"), webtest.PagesPath+"/mfa?return_to=%2Fauthorize") {
		t.Fatalf("leads to %q", a.Header.Get("Location"))
	}
	values := v.get(authorizeURL(with(codeRequest(pkceSPA), "prompt", "none"))).answered(t, callback, "?")
	if values.Get("error") != "interaction_required" {
		t.Errorf("the client gets %v", values)
	}
}

// TestTicket signs in at a page of the client's own.
func TestTicket(t *testing.T) {
	r := newRig(t, webtest.Options{})
	ticketOf := func(v *visitor, site string) string {
		email := r.newEmail()
		code := r.emailCode(t, pkceSPA, email)
		body := coBody(pkceSPA, email, code).json(t)
		a := v.ask(http.MethodPost, crossOriginPath, jsonBody, body, "Origin", spaOrigin, "Sec-Fetch-Site", site)
		a.Want(http.StatusOK)
		return a.text("login_ticket")
	}
	for site, signedIn := range map[string]bool{"same-site": true, "cross-site": false} {
		t.Run(site, func(t *testing.T) {
			v := r.visitor(t)
			request := with(codeRequest(pkceSPA), "login_ticket", ticketOf(v, site))
			values := v.get(authorizeURL(request)).answered(t, callback, "?")
			r.post(t, tokenPath, codeGrant(pkceSPA, values.Get("code"))).Want(http.StatusOK)
			if v.signedIn() != signedIn {
				t.Errorf("signed in at the site: %t", !signedIn)
			}
			if values := v.get(authorizeURL(request)).answered(t, callback, "?"); values.Get("error") != "access_denied" {
				t.Errorf("the ticket again: %v", slicesOf(values))
			}
		})
	}
	t.Run("another client", func(t *testing.T) {
		v := r.visitor(t)
		ticket := ticketOf(v, "same-site")
		if values := v.get(authorizeURL(with(codeRequest(regular), "login_ticket", ticket))).answered(t, callback, "?"); values.Get("error") != "access_denied" {
			t.Errorf("the client gets %v", slicesOf(values))
		}
	})
	t.Run("another browser", func(t *testing.T) {
		for site, want := range map[string]string{"same-site": "access_denied", "cross-site": ""} {
			victim := r.signedInVisitor(t, r.newEmail())
			before := victim.cookies["__Host-otp"]
			attacker := r.visitor(t)
			ticket := ticketOf(attacker, site)
			request := with(codeRequest(pkceSPA), "login_ticket", ticket)
			values := victim.get(authorizeURL(request)).answered(t, callback, "?")
			if values.Get("error") != want || values.Has("code") != (want == "") {
				t.Errorf("%s: the client gets %v", site, values)
			}
			if victim.cookies["__Host-otp"] != before || !victim.signedIn() {
				t.Errorf("%s: somebody else's ticket has replaced the session", site)
			}
			if attacker.get(authorizeURL(request)).answered(t, callback, "?").Has("code") {
				t.Errorf("%s: the ticket is good once more", site)
			}
		}
	})
	t.Run("stolen", func(t *testing.T) {
		ticket := ticketOf(r.visitor(t), "same-site")
		owner := otp.RestoreAddress(otp.Email, fmt.Sprintf("person%d@example.org", r.people))
		r.visitor(t).get(authorizeURL(with(codeRequest(pkceSPA), "login_ticket", ticket)))
		sessions, err := r.Service.Sessions(t.Context(), otp.Subject(r.Service.Realm(), owner))
		if err != nil || len(sessions) != 0 {
			t.Errorf("its session lives on: %v, %v", sessions, err)
		}
	})
	t.Run("of an ended session", func(t *testing.T) {
		v := r.signedInVisitor(t, r.newEmail())
		before := v.cookies["__Host-otp"]
		ticket := ticketOf(v, "same-site")
		address := otp.RestoreAddress(otp.Email, fmt.Sprintf("person%d@example.org", r.people))
		if err := r.Service.SignOutEverywhere(t.Context(), otp.Subject(r.Service.Realm(), address), time.Hour); err != nil {
			t.Fatal(err)
		}
		values := v.get(authorizeURL(with(codeRequest(pkceSPA), "login_ticket", ticket))).answered(t, callback, "?")
		if values.Get("error") != "access_denied" || v.cookies["__Host-otp"] != before || !v.signedIn() {
			t.Errorf("the client gets %v; the browser's own session is gone: %t", values, !v.signedIn())
		}
	})
}

// TestLogout ends the site's session only for a page of the client, or for who
// is asked.
func TestLogout(t *testing.T) {
	r := newRig(t, webtest.Options{})
	const after = "https://spa.example.com/bye"
	path := logoutPath + "?" + url.Values{"client_id": {regular.ID}, "returnTo": {after}}.Encode()
	for _, test := range []struct {
		name    string
		headers []string
		atOnce  bool
	}{
		{"a page of the client", []string{"Referer", spaOrigin + "/", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site"}, true},
		{"a foreign page", []string{"Referer", "https://evil.example/", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site"}, false},
		{"a page that hides", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site"}, false},
		{"an image", []string{"Referer", spaOrigin + "/", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, false},
		{"a frame", []string{"Referer", spaOrigin + "/", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, false},
		{"typed", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := r.signedInVisitor(t, r.newEmail())
			session := v.cookies["__Host-otp"]
			a := v.get(path, test.headers...)
			if v.signedIn() == test.atOnce {
				t.Fatalf("signed out: %t; %s", !test.atOnce, a.said())
			}
			if !test.atOnce {
				a = v.confirm(a)
			}
			if a.Header.Get("Location") != after || v.signedIn() {
				t.Errorf("%s", a.said())
			}
			v.cookies["__Host-otp"] = session
			if v.signedIn() {
				t.Error("only the cookie is gone")
			}
		})
	}
	t.Run("posted by a foreign page", func(t *testing.T) {
		v := r.signedInVisitor(t, r.newEmail())
		a := v.ask(http.MethodPost, logoutPath, formBody, "client_id="+regular.ID, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
		if a.Status != http.StatusForbidden || !v.signedIn() {
			t.Errorf("%s", a.said())
		}
	})
	t.Run("OpenID Connect", func(t *testing.T) {
		v := r.visitor(t)
		query := url.Values{"client_id": {regular.ID}, "post_logout_redirect_uri": {after}, "state": {"s t"}}
		if a := v.get(logoutPath + "?" + query.Encode()); a.Header.Get("Location") != after+"?state=s+t" {
			t.Errorf("%s", a.said())
		}
	})
}

// TestMagicLink opens a link as mail scanners do, then as its owner: it is not
// used up, then opens one session, then is refused.
func TestMagicLink(t *testing.T) {
	r := newRig(t, webtest.Options{})
	email := r.newEmail()
	f := startEmail(regular, email).with("send", "link").with("authParams", fields{
		"redirect_uri": callback, "state": "s", "response_type": "code", "scope": "openid email",
	})
	r.post(t, startPath, f).Want(http.StatusOK)
	link, _ := strings.CutPrefix(r.Message().Link, webtest.Origin)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet, http.MethodHead, http.MethodGet, http.MethodHead} {
		scanner := r.visitor(t)
		a := scanner.ask(method, link, "", "", "Sec-Purpose", "prefetch")
		t.Logf("%-4s by a scanner: %d, signed in: %t", method, a.Status, scanner.signedIn())
		if a.Status != http.StatusOK || scanner.signedIn() || len(a.Cookies()) > 0 {
			t.Errorf("%s: %s", method, a.said())
		}
	}
	owner := r.visitor(t)
	page := owner.get(link)
	done := owner.confirm(page)
	values := done.answered(t, callback, "?")
	tokens := r.post(t, tokenPath, codeGrant(regular, values.Get("code")).with("code_verifier", nil))
	t.Logf("the owner's click: %d to %s, signed in: %t, tokens: %d", done.Status, callback, owner.signedIn(), tokens.Status)
	if !owner.signedIn() || tokens.Status != http.StatusOK || values.Get("state") != "s" {
		t.Error("no session")
	}
	claims := r.verifyToken(t, tokens.text("id_token"))
	if claims["email"] != email {
		t.Errorf("claims %v", claims)
	}
	again := r.visitor(t)
	refused := again.confirm(again.get(link))
	t.Logf("again: %d, signed in: %t", refused.Status, again.signedIn())
	if refused.Status != http.StatusBadRequest || again.signedIn() {
		t.Errorf("again: %s", refused.said())
	}
}
