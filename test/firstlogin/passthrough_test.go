// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestUntouchedTraffic passes what a proxy most easily spoils.
func TestUntouchedTraffic(t *testing.T) {
	site.SkipShort(t)
	r := site.New(t, "store bolt otp.db", site.APIs+site.Roomy)

	t.Run("event stream", func(t *testing.T) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL+"/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := site.Browser(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		// The app's stream has no end: what arrives was not held back.
		line, err := bufio.NewReader(response.Body).ReadString('\n')
		if err != nil || line != "data: first\n" {
			t.Errorf("got %q, %v", line, err)
		}
	})

	t.Run("upgrade", func(t *testing.T) {
		conn, err := net.Dial("tcp", r.Host())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(site.DeliveryWait)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /socket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", r.Host())
		reader := bufio.NewReader(conn)
		response, err := http.ReadResponse(reader, nil)
		if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("got %v, %v", response, err)
		}
		for _, word := range []string{"ping\n", "pong\n"} {
			if _, err := io.WriteString(conn, word); err != nil {
				t.Fatal(err)
			}
			if got, err := reader.ReadString('\n'); err != nil || got != word {
				t.Errorf("got %q, %v", got, err)
			}
		}
	})

	t.Run("upload on a shared path", func(t *testing.T) {
		body := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
		a := site.Do(t, site.Browser(t), http.MethodPost, r.URL+"/auth/login", body, "Content-Type", "application/json", "Cookie", "theirs=1; more=2")
		if a.Status != http.StatusOK || !strings.HasSuffix(a.Body, body) || !strings.Contains(a.Body, "Cookie: theirs=1; more=2\r\n") {
			t.Errorf("the app got %d bytes, status %d", len(a.Body), a.Status)
		}
	})
}

// TestOursOrTheApps asks once for each row of the table of shared paths: who
// answers, we or the app behind us.
func TestOursOrTheApps(t *testing.T) {
	site.SkipShort(t)
	r := site.New(t, "store bolt otp.db", site.APIs+site.Roomy)
	nest := "Bearer " + site.Dialects[0].Login(r, "nest@example.com", 1).Text(t, "accessToken")
	autional := "Bearer " + site.Dialects[1].Login(r, "autional@example.com", 1).Text(t, "access_token")
	auth0 := "Bearer " + site.Dialects[2].Login(r, "auth0@example.com", 1).Text(t, "access_token")
	const (
		foreign = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0aGVpcnMifQ.c2lnbmF0dXJl"
		none    = ""
		ours    = false
		theApps = true
	)
	for _, row := range []struct {
		method, path, authorization, body string
		app                               bool
		status                            int
	}{
		{"POST", "/auth/passwordless/send", none, `{"identifier":"a@example.com","channel":"email"}`, ours, 200},
		{"POST", "/auth/passwordless/send", foreign, `{"identifier":"b@example.com","channel":"email","tenantId":"string"}`, ours, 200},
		{"POST", "/auth/mfa/challenge", none, `{"method":"email"}`, ours, 401},
		{"POST", "/auth/mfa/challenge", foreign, `{"method":"email"}`, ours, 401},
		{"POST", "/auth/mfa/challenge", nest, `{"method":"email"}`, ours, 200},
		{"POST", "/auth/mfa/challenge", nest, `{"method":"sms"}`, ours, 403},
		{"DELETE", "/auth/mfa/devices/theirs", nest, "", ours, 404},
		{"DELETE", "/auth/mfa/devices/theirs", foreign, "", theApps, 200},
		{"POST", "/auth/send-login-code", none, `{"email":"c@example.com"}`, ours, 200},
		{"POST", "/passwordless/start", none, `{"client_id":"` + site.PublicClient + `","connection":"email","email":"d@example.com"}`, ours, 200},
		{"POST", "/passwordless/start", none, `{"client_id":"theirs","connection":"email","email":"d@example.com"}`, ours, 401},
		{"POST", "/auth/login/email-code", none, `{"email":"a@example.com","code":"000000"}`, ours, 400},
		{"POST", "/auth/login/phone-code", none, `{"phone":"+12025550143","code":"000000"}`, ours, 400},
		{"POST", "/auth/mfa/verify", none, `{"method":"email","otp":"000000"}`, ours, 401},
		{"POST", "/auth/mfa/verify-challenge", none, `{"challenge_token":"t","code":"000000"}`, ours, 400},
		{"POST", "/identity/api/v1/auth/mfa/verify-challenge", none, `{"challenge_token":"t","code":"000000"}`, ours, 400},
		{"POST", "/bff/identity-service/api/v1/auth/mfa/verify-challenge", foreign, `{"challenge_token":"t","code":"000000"}`, ours, 400},
		{"POST", "/auth/magic-link", none, `{"email":"e@example.com"}`, ours, 200},
		{"POST", "/auth/magic-link/request", foreign, `{"email":"f@example.com","redirect_url":"https://evil.example/"}`, ours, 400},
		{"GET", "/identity/api/v1/auth/magic-link/confirm?token=t", none, "", ours, 405},
		{"POST", "/bff/identity-service/api/v1/auth/magic-link/confirm", none, `{"token":"t"}`, ours, 400},
		{"POST", "/passwordless/verify", none, `{"connection":"email","email":"a@example.com","verification_code":"000000"}`, ours, 400},
		{"GET", "/passwordless/verify_redirect?email=a%40example.com&verification_code=000000", none, "", ours, 400},
		{"GET", "/passwordless/verify_redirect?client_id=theirs", none, "", ours, 401},
		{"GET", "/.well-known/jwks.json", none, "", ours, 200},
		{"GET", "/.well-known/openid-configuration", none, "", ours, 200},
		{"POST", "/auth/login", none, `{"providerName":"passwordless","credentials":{"identifier":"a@example.com","code":"000000","channels":["email"]}}`, ours, 400},
		{"POST", "/auth/login", none, `{"providerName":"email","credentials":{"email":"a@example.com","password":"x"}}`, theApps, 200},
		{"POST", "/auth/login", none, `{"email":"a@example.com","password":"x"}`, theApps, 200},
		{"GET", "/auth/me", nest, "", ours, 200},
		{"GET", "/auth/me", foreign, "", theApps, 200},
		{"GET", "/auth/me", none, "", theApps, 200},
		{"GET", "/auth/user", foreign, "", theApps, 200},
		{"GET", "/auth/me/sessions", autional, "", ours, 200},
		{"GET", "/auth/me/sessions", nest, "", theApps, 200},
		{"GET", "/auth/me/sessions", foreign, "", theApps, 200},
		{"GET", "/auth/me/sessions", none, "", theApps, 200},
		{"DELETE", "/auth/me/sessions", foreign, "", theApps, 200},
		{"DELETE", "/auth/me/sessions", none, "", theApps, 200},
		{"DELETE", "/auth/me/sessions/x", autional, "", ours, 404},
		{"DELETE", "/identity/api/v1/auth/me/sessions/x", autional, "", ours, 404},
		{"DELETE", "/auth/me/sessions/x", nest, "", theApps, 200},
		{"DELETE", "/auth/me/sessions/x", none, "", theApps, 200},
		{"GET", "/auth/me/sessions/x", autional, "", theApps, 200},
		{"DELETE", "/auth/me/sessions", autional, "", ours, 200},
		{"GET", "/auth/verify-session", nest, "", ours, 200},
		{"POST", "/auth/refresh-token", none, `{"refreshToken":"theirs"}`, theApps, 200},
		{"POST", "/auth/refresh", none, `{"refresh_token":"theirs"}`, theApps, 200},
		{"POST", "/auth/logout", foreign, `{}`, theApps, 200},
		{"GET", "/auth/client-config", none, "", theApps, 200},
		{"POST", "/oauth/token", none, `{"client_id":"` + site.PublicClient + `"}`, ours, 400},
		{"POST", "/oauth/token", none, `{"client_id":"theirs","grant_type":"password"}`, theApps, 200},
		{"POST", "/oauth/revoke", none, `{"client_id":"theirs","token":"x"}`, theApps, 200},
		{"POST", "/co/authenticate", none, `{"client_id":"` + site.PublicClient + `","username":"a@example.com","otp":"000000"}`, ours, 400},
		{"POST", "/co/authenticate", none, `{"client_id":"theirs","username":"a@example.com","otp":"000000"}`, theApps, 200},
		{"GET", "/authorize?client_id=" + site.PublicClient, none, "", ours, 400},
		{"GET", "/authorize?response_type=code&redirect_uri=https%3A%2F%2Fevil.example&client_id=" + site.PublicClient, none, "", ours, 400},
		{"GET", "/authorize", none, "", theApps, 200},
		{"GET", "/authorize?client_id=theirs", none, "", theApps, 200},
		{"GET", "/v2/logout?client_id=" + site.PublicClient, none, "", ours, 200},
		{"GET", "/v2/logout?returnTo=https%3A%2F%2Fevil.example&client_id=" + site.PublicClient, none, "", ours, 400},
		{"GET", "/v2/logout?client_id=theirs", none, "", theApps, 200},
		{"GET", "/v2/logout", none, "", theApps, 200},
		{"GET", "/userinfo", auth0, "", ours, 200},
		{"GET", "/userinfo", foreign, "", theApps, 200},
		{"GET", "/userinfo", none, "", theApps, 200},
		{"GET", "/auth/passwordless/send", none, "", ours, 405},
		{"DELETE", "/auth/mfa/challenge", none, "", ours, 405},
		{"GET", "/auth/send-login-code", none, "", ours, 405},
		{"PUT", "/passwordless/start", none, "{}", ours, 405},
		{"GET", "/auth/login", none, "", theApps, 200},
		{"PUT", "/auth/me", nest, "{}", theApps, 200},
	} {
		headers := []string{}
		if row.body != "" {
			headers = append(headers, "Content-Type", "application/json")
		}
		if row.authorization != "" {
			headers = append(headers, "Authorization", row.authorization)
		}
		a := site.Do(t, site.Browser(t), row.method, r.URL+row.path, row.body, headers...)
		if app := a.Header.Get("X-App") == "yes"; app != row.app || a.Status != row.status {
			t.Errorf("%s %s %.20s %s: %d, the app's: %v; want %d, %v\n%s", row.method, row.path, row.authorization, row.body, a.Status, app, row.status, row.app, a.Body)
		}
		if row.app && !strings.HasSuffix(a.Body, row.body) {
			t.Errorf("%s %s: the app didn't get the body: %s", row.method, row.path, a.Body)
		}
		if row.status == http.StatusMethodNotAllowed && a.Header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", row.method, row.path)
		}
	}
}

// TestOursOrTheAppsExclusive asks for rows of the table whose requests the
// app would get, of a site whose APIs are all exclusive: each gets the answer
// of its dialect, on a path of two dialects that of the first.
func TestOursOrTheAppsExclusive(t *testing.T) {
	site.SkipShort(t)
	exclusive := strings.NewReplacer(
		"api nestauth", "api nestauth {\nexclusive\n}",
		"api autional", "api autional {\nexclusive\n}",
		"api auth0 {", "api auth0 {\nexclusive",
	).Replace(site.APIs)
	r := site.New(t, "store bolt otp.db", exclusive+site.Roomy)
	const grant = "http://auth0.com/oauth/grant-type/passwordless/otp"
	for _, row := range []struct {
		method, path, body string
		want               site.Refusal
	}{
		{"POST", "/auth/login", `{"providerName":"email","credentials":{"email":"a@example.com","password":"x"}}`, site.Refused(401, "code", "INVALID_PROVIDER")},
		{"GET", "/auth/me", "", site.Refused(401, "code", "NO_AUTH_PROVIDED")},
		{"GET", "/auth/me/sessions", "", site.Refused(401, "code", 40100001.0)},
		{"DELETE", "/auth/me/sessions", "", site.Refused(401, "code", 40100001.0)},
		{"DELETE", "/auth/me/sessions/x", "", site.Refused(401, "code", 40100001.0)},
		{"POST", "/auth/refresh-token", `{"refreshToken":"theirs"}`, site.Refused(401, "code", "REFRESH_TOKEN_EXPIRED")},
		{"POST", "/auth/refresh", `{"refresh_token":"theirs"}`, site.Refused(401, "code", 40100001.0)},
		{"POST", "/auth/refresh", `{}`, site.Refused(400, "code", 40000001.0)},
		{"POST", "/oauth/token", `{"client_id":"theirs","grant_type":"` + grant + `"}`, site.Refused(401, "error", "invalid_client")},
		{"POST", "/oauth/token", `{"grant_type":"` + grant + `"}`, site.Refused(400, "error", "invalid_request")},
		{"POST", "/co/authenticate", `{"client_id":"theirs","username":"a@example.com","otp":"000000","realm":"email","credential_type":"` + grant + `"}`, site.Refused(401, "error", "invalid_client")},
		{"POST", "/co/authenticate", `{}`, site.Refused(400, "error", "invalid_request")},
		{"GET", "/authorize?client_id=theirs", "", site.Refused(401, "error", "invalid_client")},
		{"GET", "/authorize", "", site.Refused(400, "error", "invalid_request")},
		{"GET", "/v2/logout?client_id=theirs", "", site.Refused(401, "error", "invalid_client")},
		{"GET", "/v2/logout", "", site.Refused(400, "error", "invalid_request")},
		{"GET", "/userinfo", "", site.Refused(401, "error", "unauthorized")},
	} {
		a := r.Ask(row.method, row.path, row.body, "Content-Type", "application/json")
		a.Expect(t, row.method+" "+row.path+" "+row.body, row.want)
	}
	if a := r.Get("/auth/client-config"); a.Status != http.StatusOK || a.Header.Get("X-App") != "" {
		t.Errorf("GET /auth/client-config: %d %s", a.Status, a.Body)
	}
}
