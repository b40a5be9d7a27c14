// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

const foreignOrigin = "https://evil.example"

// TestBadStart has what is refused before the store hears of it.
func TestBadStart(t *testing.T) {
	r := newRig(t, webtest.Options{SMS: true})
	good := startEmail(regular, "a@example.org").json(t)
	large := startEmail(regular, "a@example.org").with("authParams", fields{"x": strings.Repeat("x", wire.MaxBody)}).json(t)
	for _, test := range []struct {
		name, contentType, body string
		headers                 []string
		status                  int
		code, description       string
	}{
		{name: "empty", contentType: jsonBody, status: 400, code: "bad.request", description: wire.ErrMalformed.Error()},
		{name: "truncated", contentType: jsonBody, body: good[:len(good)-1], status: 400, code: "bad.request", description: wire.ErrMalformed.Error()},
		{name: "trailing", contentType: jsonBody, body: good + "{}", status: 400, code: "bad.request", description: wire.ErrMalformed.Error()},
		{name: "key twice", contentType: jsonBody, body: `{"email":"b@example.org",` + good[1:], status: 400, code: "bad.request", description: wire.ErrMalformed.Error()},
		{name: "array", contentType: jsonBody, body: "[" + good + "]", status: 400, code: "bad.request", description: wire.ErrMalformed.Error()},
		{name: "form", contentType: formBody, body: startEmail(regular, "a@example.org").form(), status: 415, code: "bad.request", description: wire.ErrMediaType.Error()},
		{name: "encoded", contentType: jsonBody, body: good, headers: []string{"Content-Encoding", "gzip"}, status: 415, code: "bad.request", description: wire.ErrMediaType.Error()},
		{name: "large", contentType: jsonBody, body: large, status: 413, code: "bad.request", description: wire.ErrTooLarge.Error()},
		{name: "foreign page", contentType: jsonBody, body: good, headers: []string{"Origin", foreignOrigin}, status: 403, code: "access_denied", description: "The origin is not allowed"},
		{name: "foreign page's text", contentType: plainBody, body: good, headers: []string{"Origin", foreignOrigin, "Sec-Fetch-Site", "cross-site"}, status: 403, code: "access_denied", description: "The origin is not allowed"},
		{name: "allowed page's text", contentType: plainBody, body: good, headers: []string{"Origin", spaOrigin, "Sec-Fetch-Site", "cross-site"}, status: 415, code: "bad.request", description: wire.ErrMediaType.Error()},
		{name: "client_id a number", contentType: jsonBody, body: `{"client_id":1}`, status: 400, code: "bad.client_id", description: "error in client_id - invalid type: number (expected string)"},
		{name: "client_id null", contentType: jsonBody, body: `{"client_id":null}`, status: 400, code: "bad.client_id", description: "Missing required property: client_id"},
		{name: "connection a boolean", contentType: jsonBody, body: `{"client_id":"web","connection":true}`, status: 400, code: "bad.connection", description: "error in connection - invalid type: boolean (expected string)"},
		{name: "state an object", contentType: jsonBody, body: `{"client_id":"web","connection":"email","authParams":{"state":{}}}`, status: 400, code: "bad.authParams", description: "error in authParams.state - invalid type: object (expected string)"},
		{name: "state of 2 KiB", contentType: jsonBody, body: `{"client_id":"web","connection":"email","authParams":{"state":"` + strings.Repeat("x", maxLinkPayload) + `"}}`, status: 400, code: "bad.authParams", description: "error in authParams - too long"},
		{name: "no email", contentType: jsonBody, body: `{"client_id":"web","connection":"email","phone_number":"+4915123456789"}`, status: 400, code: "bad.email", description: "Missing required property: email"},
		{name: "email an array", contentType: jsonBody, body: `{"client_id":"web","connection":"email","email":["a@example.org"]}`, status: 400, code: "bad.email", description: "error in email - invalid type: array (expected string)"},
		{name: "no e-mail address", contentType: jsonBody, body: `{"client_id":"web","connection":"email","email":"a@b\r\nBcc: c@example.org"}`, status: 400, code: "bad.email", description: "Object didn't pass validation for format email: a@b\r\nBcc: c@example.org"},
		{name: "send a number", contentType: jsonBody, body: `{"client_id":"web","connection":"email","email":"a@example.org","send":1}`, status: 400, code: "bad.send", description: "error in send - invalid type: number (expected string)"},
		{name: "secret a number", contentType: jsonBody, body: `{"client_id":"web","client_secret":1,"connection":"email","email":"a@example.org"}`, status: 400, code: "bad.request", description: "error in client_secret - invalid type: number (expected string)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r.do(t, http.MethodPost, startPath, test.contentType, test.body, test.headers...).
				wantRefusal(t, test.status, test.code, test.description)
		})
	}
	if n := r.Starts(); n != 0 {
		t.Errorf("%d starts reached the store", n)
	}
}

func TestStartTakesPostOnly(t *testing.T) {
	r := newRig(t, webtest.Options{SMS: true})
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		a := r.do(t, method, startPath+"?client_id=web", "", "")
		a.wantRefusal(t, 405, "method_not_allowed", "Method not allowed")
		if a.Header.Get("Allow") != "POST" {
			t.Errorf("Allow %q", a.Header.Get("Allow"))
		}
	}
}

// TestWhose has the requests on paths that the app behind may have too.
func TestWhose(t *testing.T) {
	shared := newRig(t, webtest.Options{SMS: true})
	exclusive := newRig(t, webtest.Options{SMS: true}, func(c *Config) { c.Exclusive = true })
	otpGrant := redeem(regular, "email", "a@example.org", "123456")
	for _, test := range []struct {
		name               string
		method, path, body string
		status             int // of the exclusive site
		code               string
	}{
		{"no client", "POST", tokenPath, otpGrant.with("client_id", nil).json(t), 400, "invalid_request"},
		{"foreign client", "POST", tokenPath, otpGrant.with("client_id", "theirs").json(t), 401, "invalid_client"},
		{"foreign client and grant", "POST", tokenPath, `{"client_id":"theirs","grant_type":"password"}`, 501, "unsupported_grant_type"},
		{"malformed", "POST", tokenPath, `{"client_id":"web"`, 400, "invalid_request"},
		{"large", "POST", tokenPath, `{"client_id":"web","x":"` + strings.Repeat("x", 2*wire.MaxBody) + `"}`, 413, "invalid_request"},
		{"foreign client's token", "POST", revokePath, `{"client_id":"theirs","token":"x"}`, 401, "invalid_client"},
		{"nothing to revoke", "POST", revokePath, `{}`, 400, "invalid_request"},
		{"userinfo of nobody", "GET", userinfoPath, "", 401, "unauthorized"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if a := shared.do(t, test.method, test.path, jsonBody, test.body); !a.FromApp() || a.Body != test.body {
				t.Errorf("app didn't get it whole: %d, %d bytes of %d", a.Status, len(a.Body), len(test.body))
			}
			if a := exclusive.do(t, test.method, test.path, jsonBody, test.body); a.FromApp() || a.Status != test.status || a.text("error") != test.code {
				t.Errorf("exclusive: %d %s", a.Status, a.Body)
			}
		})
	}
	garbage := webtest.Bearer("garbage")
	if a := shared.do(t, http.MethodGet, userinfoPath, "", "", garbage...); !a.FromApp() {
		t.Error("a foreign bearer isn't the app's")
	}
	exclusive.do(t, http.MethodGet, userinfoPath, "", "", garbage...).wantRefusal(t, 401, "unauthorized", "Unauthorized")
	for _, path := range []string{tokenPath, revokePath} {
		if a := shared.do(t, http.MethodGet, path, "", ""); !a.FromApp() {
			t.Errorf("GET %s isn't the app's", path)
		}
	}
}

func TestWithoutClients(t *testing.T) {
	r := newRig(t, webtest.Options{}, withClients())
	for _, path := range []string{jwksPath, discoveryPath, verifyRedirectPath} {
		if a := r.do(t, http.MethodGet, path, "", ""); !a.FromApp() {
			t.Errorf("%s isn't the app's", path)
		}
	}
	r.post(t, startPath, startEmail(regular, "a@example.org")).wantRefusal(t, 401, "invalid_client", invalid401)
}

// TestSecretlessRegularClient has a client that nothing can prove.
func TestSecretlessRegularClient(t *testing.T) {
	broken := Client{ID: "broken", Type: Regular}
	r := newRig(t, webtest.Options{}, withClients(broken))
	for _, f := range []fields{startEmail(broken, "a@example.org"), startEmail(broken, "a@example.org").with("client_secret", "")} {
		r.post(t, startPath, f).wantRefusal(t, 401, "invalid_client", invalid401)
	}
}

func TestCrossOrigin(t *testing.T) { // A38
	r := newRig(t, webtest.Options{}, withClients(
		Client{ID: "web", Callbacks: []string{"https://callback.example.com/"}, Origins: []string{spaOrigin}},
		Client{ID: "two", Origins: []string{spaOrigin}},
	))
	preflight := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "auth0-client,content-type"}
	for origin, allowed := range map[string]bool{spaOrigin: true, foreignOrigin: false, "https://callback.example.com": false, "null": false} {
		a := r.do(t, http.MethodOptions, startPath, "", "", append(preflight, "Origin", origin)...)
		got := a.Header.Get("Access-Control-Allow-Origin")
		if a.Status != 204 || (got == origin) != allowed || !allowed && got != "" {
			t.Errorf("%s: %d, allows %q", origin, a.Status, got)
		}
	}
	a := r.post(t, startPath, startEmail(Client{ID: "web"}, "a@example.org"), "Origin", spaOrigin, "Sec-Fetch-Site", "cross-site")
	a.Want(http.StatusOK)
	if a.Header.Get("Access-Control-Allow-Origin") != spaOrigin || a.Header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Error("the page can't read the answer")
	}
}

func TestDiscovery(t *testing.T) {
	r := newRig(t, webtest.Options{SMS: true})
	a := r.do(t, http.MethodGet, discoveryPath, "", "")
	a.Want(http.StatusOK)
	if a.text("issuer") != webtest.Origin+"/" {
		t.Errorf("issuer %q", a.text("issuer"))
	}
	for _, name := range []string{"token_endpoint", "revocation_endpoint", "userinfo_endpoint", "jwks_uri"} {
		path, ok := strings.CutPrefix(a.text(name), webtest.Origin)
		method := http.MethodPost
		if name == "jwks_uri" {
			method = http.MethodGet
		}
		login := r.login(t, native, "openid")
		body := fields{"client_id": native.ID}.json(t)
		if got := r.do(t, method, path, jsonBody, body, bearer(login)...); !ok || got.FromApp() {
			t.Errorf("%s %q isn't there", name, a.text(name))
		}
	}
	if a.Fields["authorization_response_iss_parameter_supported"] != true {
		t.Error("clients aren't told of iss")
	}
	for name, path := range map[string]string{"authorization_endpoint": authorizePath, "end_session_endpoint": logoutPath} {
		if a.text(name) != webtest.Origin+path {
			t.Errorf("%s %q", name, a.text(name))
		}
	}
	for name, want := range map[string]string{
		"code_challenge_methods_supported":      "[S256]",
		"id_token_signing_alg_values_supported": "[RS256]",
		"response_types_supported":              "[code token id_token id_token token code id_token code token code id_token token]",
		"token_endpoint_auth_methods_supported": "[client_secret_post client_secret_basic private_key_jwt none]",
	} {
		if got := fmt.Sprint(a.Fields[name]); got != want {
			t.Errorf("%s %s, want %s", name, got, want)
		}
	}
}

// FuzzStart looks for bodies of a start that aren't refused as documented.
func FuzzStart(f *testing.F) {
	f.Add([]byte(`{"client_id":"web","client_secret":"x","connection":"email","email":"a@example.org","send":"code"}`))
	f.Add([]byte(`{"client_id":"web","connection":"sms","phone_number":"+4915123456789","authParams":{"state":"\u003c","scope":"openid"}}`))
	f.Add([]byte(`{"client_id":"web","connection":"email","email":"a@b","authParams":[],"age":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := wire.Parse(jsonRequest(startPath, body), wire.JSON)
		if err != nil {
			return
		}
		s, err := decodeStart(o, func(c otp.Channel) bool { return c == otp.Email || c == otp.SMS })
		if err != nil {
			if answer := refusalFor(startPath, err); answer.status != http.StatusBadRequest || !strings.HasPrefix(answer.Code, "bad.") {
				t.Errorf("%d %v", answer.status, err)
			}
			return
		}
		if s.address.IsZero() || len(s.linkPayload) > maxLinkPayload || s.form != otp.FormCode && s.form != otp.FormLink {
			t.Errorf("took %+v", s)
		}
	})
}

// FuzzGrant does so with bodies of /oauth/token.
func FuzzGrant(f *testing.F) {
	f.Add([]byte(`{"grant_type":"refresh_token","refresh_token":"x","scope":"openid email"}`), true)
	f.Add([]byte(`{"username":"a@example.org","otp":"123456","realm":"email","scope":["openid",1]}`), true)
	f.Add([]byte("username=%2B4915123456789&otp=123456&realm=sms&scope=openid+offline_access"), false)
	f.Fuzz(func(t *testing.T, body []byte, asJSON bool) {
		r := jsonRequest(tokenPath, body)
		if !asJSON {
			r.Header.Set("Content-Type", formBody)
		}
		o, err := wire.Parse(r, oauthBodies)
		if err != nil {
			return
		}
		g, err := decodeOTPGrant(o)
		if err != nil {
			if answer := refusalFor(tokenPath, err); answer.status != http.StatusBadRequest {
				t.Errorf("%d %v", answer.status, err)
			}
			return
		}
		if g.username == "" || g.code == "" || len(g.scopes) > len(scopes) {
			t.Errorf("took %+v", g)
		}
	})
}

func jsonRequest(path string, body []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(string(body)))
	r.Header.Set("Content-Type", jsonBody)
	return r
}
