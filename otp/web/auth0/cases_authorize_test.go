// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// said is a case's answer in a line.
func (a answer) said() string {
	line := fmt.Sprint(a.Status)
	if location := a.Header.Get("Location"); location != "" {
		return line + " to " + location
	}
	if code := a.text("error"); code != "" {
		return line + " " + code + ": " + a.text("error_description")
	}
	if a.Header.Get("Content-Type") == "text/html; charset=utf-8" {
		return line + " page"
	}
	return line
}

// coBody is a request to /co/authenticate.
func coBody(c Client, email, code string) fields {
	return fields{"client_id": c.ID, "username": email, "otp": code, "realm": "email", "credential_type": grantOTP}
}

// postFrom posts JSON as a page of an origin does.
func (r *rig) postFrom(t *testing.T, origin, path string, f fields) answer {
	t.Helper()
	return r.post(t, path, f, "Origin", origin, "Sec-Fetch-Site", "cross-site")
}

func legacy(c Client, email, code string) fields {
	f := fields{"client_id": c.ID, "connection": "email", "grant_type": "password", "username": email, "password": code, "scope": "openid email"}
	if c.Secret != "" {
		f["client_secret"] = c.Secret
	}
	return f
}

// testBrowserCases are those of browsers.
func testBrowserCases(t *testing.T, rows contract) {
	r := newRig(t, webtest.Options{SMS: true})
	check := rows.check
	redirectQuery := func(c Client, email, code string) url.Values {
		return url.Values{
			"client_id": {c.ID}, "connection": {"email"}, "email": {email}, "verification_code": {code},
			"response_type": {"token"}, "redirect_uri": {callback}, "scope": {"openid"}, "state": {"s t"}, "auth0Client": {"e30="},
		}
	}
	const expiredAnswer = "303 to " + callback + "#error=unauthorized&error_description=The%20verification%20code%20has%20expired.%20Please%20try%20to%20login%20again.&iss=https%3A%2F%2Fapp.example.com%2F&state=s%20t"

	t.Run("A38", func(t *testing.T) {
		for _, path := range []string{crossOriginPath, startPath, tokenPath, userinfoPath, verifyPath} {
			for origin, want := range map[string]string{spaOrigin: "204 " + spaOrigin + " true", "https://evil.example": "204  "} {
				method := http.MethodPost
				a := r.do(t, http.MethodOptions, path, "", "", "Origin", origin,
					"Access-Control-Request-Method", method, "Access-Control-Request-Headers", "auth0-client,content-type,x-request-language")
				if path == crossOriginPath || path == tokenPath || path == userinfoPath {
					if origin != spaOrigin {
						continue // the app's to answer, on a path that it may have
					}
				}
				h := a.Header
				check(t, "A38", want, fmt.Sprintf("%d %s %s", a.Status, h.Get("Access-Control-Allow-Origin"), h.Get("Access-Control-Allow-Credentials")))
			}
		}
	})
	t.Run("A39", func(t *testing.T) {
		email := r.newEmail()
		code := r.emailCode(t, spaWithOrigin, email)
		a := r.postFrom(t, spaOrigin, crossOriginPath, coBody(spaWithOrigin, email, webtest.OtherCode(code)))
		check(t, "A39", "403 access_denied: "+wrongEmail, a.said())
		a = r.postFrom(t, "https://evil.example", crossOriginPath, coBody(spaWithOrigin, email, code))
		check(t, "A39", "403 access_denied: The origin is not allowed", a.said())
		a = r.postFrom(t, spaOrigin, crossOriginPath, coBody(other, email, code))
		check(t, "A39", "403 access_denied: Cross-origin authentication: the origin "+spaOrigin+" is not allowed.", a.said())
		a = r.postFrom(t, spaOrigin, crossOriginPath, coBody(spaWithOrigin, email, code).with("scope", "openid"))
		check(t, "A39", "400 invalid_request: Invalid request body. All and only of client_id, credential_type, username, otp, realm are required.", a.said())
		a = r.postFrom(t, spaOrigin, crossOriginPath, coBody(spaWithOrigin, email, code).with("realm", "github"))
		check(t, "A39", "400 invalid_request: Unknown realm github.", a.said())
		a = r.postFrom(t, spaOrigin, crossOriginPath, coBody(spaWithOrigin, email, code))
		check(t, "A39", "200", a.said())
		if len(a.Fields) != 3 || a.text("login_ticket") == "" || a.text("co_id") == "" || a.text("co_verifier") == "" {
			t.Errorf("got %v", a.Fields)
		}
		if h := a.Header; h.Get("Access-Control-Allow-Origin") != spaOrigin || h.Get("Access-Control-Allow-Credentials") != "true" {
			t.Error("the page can't read it")
		}
		check(t, "A39", "403 access_denied: "+wrongEmail, r.postFrom(t, spaOrigin, crossOriginPath, coBody(spaWithOrigin, email, code)).said())
	})
	t.Run("A40", func(t *testing.T) {
		v, email := r.visitor(t), r.newEmail()
		code := r.emailCode(t, spaWithOrigin, email)
		path := verifyRedirectPath + "?" + redirectQuery(spaWithOrigin, email, code).Encode()
		page := v.get(path)
		check(t, "A40 (ours: GET asks, and the form's answer is a 303)", "200 page", page.said())
		check(t, "A40", "200 page", v.ask(http.MethodHead, path, "", "").said())
		values := v.confirm(page).answered(t, callback, "#")
		check(t, "A40", "Bearer s t", values.Get("token_type")+" "+values.Get("state"))
		if !v.signedIn() {
			t.Error("the browser isn't signed in")
		}
		check(t, "A40", expiredAnswer, r.visitor(t).confirm(r.visitor(t).get(path)).said())

		wrong := verifyRedirectPath + "?" + redirectQuery(spaWithOrigin, r.newEmail(), "000000").Encode()
		check(t, "A40", expiredAnswer, r.visitor(t).confirm(r.visitor(t).get(wrong)).said())
	})
	t.Run("A41", func(t *testing.T) {
		v, email := r.visitor(t), r.newEmail()
		code := r.emailCode(t, spaWithOrigin, email)
		query := redirectQuery(spaWithOrigin, email, code)
		for _, uri := range hostileURIs {
			query.Set("redirect_uri", uri)
			check(t, "A41", "400 page", v.get(verifyRedirectPath+"?"+query.Encode()).said())
			check(t, "A41", "400 page", v.submit(verifyRedirectPath, query).said())
		}
	})
	t.Run("A43", func(t *testing.T) {
		for _, client := range []Client{regular, native} {
			email := r.newEmail()
			code := r.emailCode(t, client, email)
			check(t, "A43", "401 invalid_user_password: "+wrongEmail, r.post(t, verifyPath, legacy(client, email, webtest.OtherCode(code))).said())
			a := r.post(t, verifyPath, legacy(client, email, code))
			check(t, "A43", "200", a.said())
			if a.text("token_type") != "Bearer" || a.text("access_token") == "" || a.text("id_token") == "" || a.text("scope") != "openid email" {
				t.Errorf("got %v", a.Fields)
			}
			check(t, "A43", "401 invalid_user_password: "+wrongEmail, r.post(t, verifyPath, legacy(client, email, code)).said())
		}
		email := r.newEmail()
		code := r.emailCode(t, regular, email)
		for _, f := range []fields{
			legacy(regular, email, code).with("client_secret", nil), legacy(regular, email, code).with("client_id", "gone"), legacy(spa, email, code),
		} {
			check(t, "A43", "403 unauthorized_client: invalid client", r.post(t, verifyPath, f).said())
		}
		for range 2 {
			r.post(t, verifyPath, legacy(regular, email, webtest.OtherCode(code)))
		}
		check(t, "A43", "429 too_many_attempts: "+maxAttempts, r.post(t, verifyPath, legacy(regular, email, webtest.OtherCode(code))).said())
	})
	t.Run("A44", func(t *testing.T) {
		whole := legacy(regular, "a@example.org", "123456")
		for _, name := range []string{"username", "password", "connection", "client_id"} {
			check(t, "A44", "400 invalid_request: missing "+name+" parameter", r.post(t, verifyPath, whole.with(name, nil)).said())
		}
		check(t, "A44", "400 invalid_request: scope parameter must be a string", r.post(t, verifyPath, whole.with("scope", 1)).said())
		check(t, "A44", "400 invalid_request: the connection was not found", r.post(t, verifyPath, whole.with("connection", "github")).said())
		check(t, "A44", "400 invalid_request: "+errOperation.Description, r.post(t, verifyPath, whole.with("grant_type", "x")).said())
	})
	t.Run("A45", func(t *testing.T) {
		v, email := r.visitor(t), r.newEmail()
		code := r.emailCode(t, spaWithOrigin, email)
		form := fields{"client_id": spaWithOrigin.ID, "connection": "email", "email": email, "verification_code": code}
		check(t, "A45", "403 access_denied: "+wrongEmail, r.post(t, verifyPath, form.with("verification_code", webtest.OtherCode(code))).said())
		for range 4 {
			check(t, "A45", "200", r.post(t, verifyPath, form).said())
		}
		values := v.confirm(v.get(verifyRedirectPath+"?"+redirectQuery(spaWithOrigin, email, code).Encode())).answered(t, callback, "#")
		check(t, "A45 (ours: verify_redirect asks first, and consumes by POST)", "consumed", map[bool]string{true: "consumed", false: "no token"}[values.Get("access_token") != ""])
		check(t, "A45", "403 access_denied: "+wrongEmail, r.post(t, verifyPath, form).said())

		email = r.newEmail()
		code = r.emailCode(t, spaWithOrigin, email)
		form = form.with("email", email).with("verification_code", webtest.OtherCode(code))
		for range 2 {
			r.post(t, verifyPath, form)
		}
		check(t, "A45", "403 access_denied: "+maxAttempts, r.post(t, verifyPath, form).said())
		check(t, "A45", "403 access_denied: "+maxAttempts, r.post(t, verifyPath, form.with("verification_code", code)).said())
	})
	t.Run("A49", func(t *testing.T) {
		const after = "https://spa.example.com/bye"
		path := func(returnTo string) string {
			return logoutPath + "?" + url.Values{"client_id": {regular.ID}, "returnTo": {returnTo}}.Encode()
		}
		v := r.visitor(t)
		check(t, "A49", "302 to "+after, v.get(path(after)).said())
		check(t, "A49", "302 to "+spaOrigin, v.get(path(spaOrigin)).said())
		for _, uri := range hostileURIs {
			check(t, "A49", "400 page", v.get(path(uri)).said())
			check(t, "A49", "400 invalid_request: "+errReturnTo.Description, r.do(t, http.MethodGet, path(uri), "", "").said())
		}
	})
}

// testLinkCases are those of links.
func testLinkCases(t *testing.T, rows contract) {
	const api = "https://api.example.com"
	client := regular
	client.Audiences = []string{api}
	r := newRig(t, webtest.Options{}, withClients(client))
	start := func(params fields) string {
		r.post(t, startPath, startEmail(client, r.newEmail()).with("send", "link").with("authParams", params)).Want(http.StatusOK)
		return strings.TrimPrefix(r.Message().Link, webtest.Origin)
	}
	t.Run("A4", func(t *testing.T) {
		link := start(fields{"redirect_uri": callback, "state": "s t", "response_type": "code"})
		got := "a link to " + strings.TrimRight(link[:strings.Index(link, "=")+1], "=")
		v := r.visitor(t)
		values := v.confirm(v.get(link)).answered(t, callback, "?")
		got += fmt.Sprintf(", which leads to the callback with a code: %t, state %s", values.Get("code") != "", values.Get("state"))
		rows.check(t, "A4 (ours: the link is to our page and carries the parameters sealed)", "a link to /.otp/link?token, which leads to the callback with a code: true, state s t", got)
	})
	t.Run("A42", func(t *testing.T) {
		link, got := start(fields{"redirect_uri": callback}), ""
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet, http.MethodHead, http.MethodGet} {
			v := r.visitor(t)
			got += fmt.Sprintf("%s %s, signed in %t; ", method, v.ask(method, link, "", "").said(), v.signedIn())
		}
		for range 2 {
			v := r.visitor(t)
			got += fmt.Sprintf("press %s, signed in %t; ", v.confirm(v.get(link)).said(), v.signedIn())
		}
		look := "GET 200 page, signed in false; HEAD 200 page, signed in false; "
		rows.check(t, "A42 (ours: looking uses nothing up, the button does)",
			look+look+"GET 200 page, signed in false; press 303 to "+callback+", signed in true; press 400 page, signed in false; ", got)
	})
	t.Run("A47", func(t *testing.T) {
		v := r.visitor(t)
		link := start(fields{"redirect_uri": callback, "scope": "openid email", "audience": api, "nonce": "n1", "response_type": "id_token token"})
		values := v.confirm(v.get(link)).answered(t, callback, "#")
		id, access := r.verifyToken(t, values.Get("id_token")), r.verifyToken(t, values.Get("access_token"))
		rows.check(t, "A47", "scope openid email, nonce n1, aud ["+api+" https://app.example.com/userinfo]",
			fmt.Sprintf("scope %s, nonce %v, aud %v", values.Get("scope"), id["nonce"], access["aud"]))
	})
}

// hostileURIs are near to a registered callback, or not even that.
var hostileURIs = []string{
	"https://evil.example/callback", callback + "/", callback + "/x", callback + "?x=1", callback + "#x", "//spa.example.com/callback",
	"https://SPA.example.com/callback", "https://spa.example.com:443/callback", "https://spa.example.com.evil.example/callback",
	"https://spa.example.com@evil.example/callback", "https://evil.example#@spa.example.com/callback", "http://spa.example.com/callback",
	"javascript:alert(1)", `/\evil.example`, "/\t/evil.example", "https:evil.example", "https:///evil.example", "/%09/evil.example",
	" " + callback, strings.ToUpper(callback),
}

// spaWithOrigin is a page that signs in at its own origin.
var spaWithOrigin = Client{ID: "page-co", Type: SPA, Callbacks: []string{callback}, Origins: []string{spaOrigin}}
