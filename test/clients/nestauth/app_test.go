// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// demoApp is a Nest app with a login by password, and with tokens of its own:
// HS256, as the reference server signs them.
type demoApp struct {
	mu sync.Mutex
	// got are the bodies that it received.
	got []string
}

const demoSecret = "the app's own secret"

// demoToken makes a token. The same call makes the same one, so that answers
// can be compared.
func demoToken(kind string) string {
	encode := base64.RawURLEncoding.EncodeToString
	payload := fmt.Sprintf(`{"id":"7","sub":"7","sessionId":"s-7","email":"joe@example.com","type":%q,"iat":1700000000,"exp":4000000000}`, kind)
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(payload))
	h := hmac.New(sha256.New, []byte(demoSecret))
	h.Write([]byte(text))
	return text + "." + encode(h.Sum(nil))
}

func (app *demoApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	app.mu.Lock()
	app.got = append(app.got, string(body))
	app.mu.Unlock()
	answer := func(status int, text string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("X-Powered-By", "the app")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
	signedIn := r.Header.Get("Authorization") == "Bearer "+demoToken("access")
	tokens := fmt.Sprintf(`{"accessToken":%q,  "refreshToken":%q,"isRequiresMfa":false,"message":"%%s"}`, demoToken("access"), demoToken("refresh"))
	switch r.Method + " " + r.URL.Path {
	case "POST /auth/login":
		var in struct {
			Credentials struct{ Email, Password string }
		}
		if json.Unmarshal(body, &in) != nil || in.Credentials.Password != "correct horse" {
			answer(http.StatusUnauthorized, `{"statusCode":401,"error":"UnauthorizedException","message":"Invalid credentials","code":"INVALID_CREDENTIALS"}`)
			return
		}
		answer(http.StatusOK, fmt.Sprintf(tokens, "Welcome back"))
	case "POST /auth/refresh-token":
		if !strings.Contains(string(body), demoToken("refresh")) {
			answer(http.StatusUnauthorized, `{"statusCode":401,"message":"the app knows no such token","error":"UnauthorizedException","code":"REFRESH_TOKEN_INVALID"}`)
			return
		}
		answer(http.StatusOK, fmt.Sprintf(tokens, "Refreshed by the app"))
	case "GET /auth/me":
		if !signedIn {
			answer(http.StatusUnauthorized, `{"statusCode":401,"message":"nobody"}`)
			return
		}
		answer(http.StatusOK, `{"id":"7", "email":"joe@example.com","roles":[],"permissions":["the app's own"]}`)
	case "POST /auth/logout":
		answer(http.StatusOK, `{"message":"Goodbye from the app"}`)
	default:
		answer(http.StatusOK, fmt.Sprintf(`{"remoteUser":%q}`, r.Header.Get("Remote-User")))
	}
}

// TestBesideAnApp: an app that has a login and tokens of its own keeps them,
// byte for byte, while passwordless login works beside it.
func TestBesideAnApp(t *testing.T) {
	site.SkipShort(t)
	app := new(demoApp)
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	r := &site.Rig{T: t, Global: site.GlobalBlock("store bolt otp.db"), URL: fmt.Sprintf("http://localhost:%d", freeport.Take(t))}
	r.Sites = site.SiteBlock(r.URL, site.Roomy+"\n\t\tapi nestauth", "reverse_proxy "+server.Listener.Addr().String())
	r.Caddy = caddyserver.Start(t, r.Global, r.Sites)

	bearer := []string{"Authorization", "Bearer " + demoToken("access")}
	for _, tc := range []struct {
		name, method, path, body string
		headers                  []string
	}{
		{"password login", "POST", "/auth/login", `{ "providerName":"email","credentials":{"email":"joe@example.com","password":"correct horse"}, "rememberMe":true }`, nil},
		{"wrong password", "POST", "/auth/login", `{"providerName":"email","credentials":{"email":"joe@example.com","password":"x"}}`, nil},
		{"a login that no JSON parser likes", "POST", "/auth/login", `{"a":1,"a":2}`, nil},
		{"refresh", "POST", "/auth/refresh-token", `{"refreshToken":"` + demoToken("refresh") + `"}`, nil},
		{"refresh with garbage", "POST", "/auth/refresh-token", `{"refreshToken":"garbage"}`, nil},
		{"me", "GET", "/auth/me", ``, bearer},
		{"me as nobody", "GET", "/auth/me", ``, nil},
		{"logout", "POST", "/auth/logout", ``, bearer},
		{"logout as nobody", "POST", "/auth/logout", `{}`, nil},
		{"MFA status", "GET", "/auth/mfa/status", ``, bearer},
		{"MFA device", "DELETE", "/auth/mfa/devices/7", ``, bearer},
	} {
		headers := append([]string{"Content-Type", "application/json"}, tc.headers...)
		direct := site.Do(t, site.Browser(t), tc.method, server.URL+tc.path, tc.body, headers...)
		behind := site.Do(t, site.Browser(t), tc.method, r.URL+tc.path, tc.body, headers...)
		app.mu.Lock()
		received := app.got[len(app.got)-2:]
		app.mu.Unlock()
		same := direct.Body == behind.Body && direct.Status == behind.Status && received[0] == received[1] &&
			behind.Header.Get("X-Powered-By") == "the app" && behind.Header.Get("Set-Cookie") == ""
		t.Logf("%-34s straight %d %d bytes; behind us %d %d bytes; the same: %v", tc.name, direct.Status, len(direct.Body), behind.Status, len(behind.Body), same)
		if !same {
			t.Errorf("%s: straight\n%d %s\nbehind us\n%d %s", tc.name, direct.Status, direct.Body, behind.Status, behind.Body)
		}
	}

	// The same client, with the app's password and with our code.
	p := newProgram(t, r.URL)
	j := &journey{T: t, program: p, rig: r, address: "jane@example.com"}
	j.step("joe", "password login", "login", `"message":"Welcome back"`, object{"providerName": "email", "credentials": object{"email": "joe@example.com", "password": "correct horse"}})
	j.step("jane", "send", "passwordlessSend", "If an account exists", object{"identifier": j.address, "channel": "email"})
	ours := j.step("jane", "login", "passwordlessLogin", `"message":"Login successful"`, object{"identifier": j.address, "code": j.code()}).fields(t)
	j.step("joe", "refresh", "refresh", demoToken("access"))
	j.step("joe", "me", "getSessionUserData", `"the app's own"`)
	j.step("jane", "me", "getSessionUserData", `"email":"jane@example.com"`)
	j.step("jane", "refresh", "refresh", `"accessToken":`)
	if a := r.Get("/", "Authorization", fmt.Sprint("Bearer ", ours["accessToken"])); a.Body != `{"remoteUser":"jane@example.com"}` {
		t.Errorf("the app is told %s", a.Body)
	}
	j.wantAuthenticated(j.step("jane", "logout", "logout", "null"), false)
	j.wantAuthenticated(j.step("joe", "logout", "logout", "null"), false)
	if a := r.Get("/", "Authorization", fmt.Sprint("Bearer ", ours["accessToken"])); a.Body != `{"remoteUser":""}` {
		t.Errorf("after the logout the app is told %s", a.Body)
	}
}
