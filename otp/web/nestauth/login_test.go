// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"net/http"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

func TestLogin(t *testing.T) {
	s := newSite(t, webtest.Options{SMS: true})
	for _, test := range []struct{ name, sendAs, channel, loginAs string }{
		{"email", " ALICE@Example.com ", "email", alice},
		{"sms", "+49 151 12345678", "sms", phone},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := s.in(t)
			s.send(test.sendAs, test.channel).Want(http.StatusOK)
			code := s.Code()
			wantWrongCode(s.login(test.loginAs, webtest.OtherCode(code)))
			a := s.login(test.loginAs, code).Want(http.StatusOK)
			if a.Text("message") != "Login successful" || a.Fields["isRequiresMfa"] != false || len(a.Fields) != 4 {
				t.Errorf("body is %s", a.Body)
			}
			if len(a.Header["Set-Cookie"]) > 0 {
				t.Errorf("cookies %v in header mode", a.Header["Set-Cookie"])
			}
			wantWrongCode(s.login(test.loginAs, code))
		})
	}
}

func TestLoginClaims(t *testing.T) {
	s := newSite(t, webtest.Options{SMS: true})
	s.Post("/auth/passwordless/send", `{"identifier":"`+alice+`","channel":"email"}`).Want(http.StatusOK)
	a := s.Post("/auth/login", loginBody(alice, s.Code(), `,"tenantId":"string"`)).Want(http.StatusOK)
	header, access := claims(t, a.Text("accessToken"))
	if header["alg"] != "RS256" {
		t.Errorf("alg is %v", header["alg"])
	}
	_, refresh := claims(t, a.Text("refreshToken"))
	for name, want := range map[string]any{
		"email":           alice,
		"phone":           nil,
		"phoneVerifiedAt": nil,
		"tenantId":        "string",
		"isMfaEnabled":    false,
		"isMfaVerified":   false,
	} {
		for kind, got := range map[string]map[string]any{"access": access, "refresh": refresh} {
			if value, there := got[name]; value != want || !there {
				t.Errorf("%s of the %s token is %v, want %v", name, kind, value, want)
			}
		}
	}
	if access["type"] != "access" || refresh["type"] != "refresh" {
		t.Errorf("types are %v and %v", access["type"], refresh["type"])
	}
	if access["id"] != access["sub"] || access["sub"] == "" || access["sessionId"] == "" {
		t.Errorf("id %v, sub %v, sessionId %v", access["id"], access["sub"], access["sessionId"])
	}
	if roles, ok := access["roles"].([]any); !ok || len(roles) != 0 {
		t.Errorf("roles are %v", access["roles"])
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", access["emailVerifiedAt"].(string)); err != nil {
		t.Error(err)
	}
	if refresh["jti"] == "" || refresh["jti"] == nil {
		t.Error("refresh token has no jti")
	}
	for kind, want := range map[float64]float64{
		access["exp"].(float64) - access["iat"].(float64):   3600,
		refresh["exp"].(float64) - refresh["iat"].(float64): 30 * 24 * 3600,
	} {
		if kind < want-2 || kind > want+1 {
			t.Errorf("token lives for %v s, want %v", kind, want)
		}
	}
}

func TestLoginRefuses(t *testing.T) {
	s := newSite(t, webtest.Options{})
	s.send(alice, "email").Want(http.StatusOK)
	code := s.Code()
	credentials := `{"identifier":"` + alice + `","code":"` + code + `","channels":["email"]}`
	for _, test := range []struct {
		name, body string
		code       string
		message    string
	}{
		{"no provider", `{"credentials":` + credentials + `}`, "INVALID_INPUT", "providerName should not be empty"},
		{"no credentials", `{"providerName":"passwordless"}`, "INVALID_INPUT", "credentials must be an object"},
		{"credentials a string", `{"providerName":"passwordless","credentials":"x"}`, "INVALID_INPUT", "credentials must be an object"},
		{"no code", `{"providerName":"passwordless","credentials":{"identifier":"` + alice + `","channels":["email"]}}`, "MISSING_REQUIRED_FIELDS", "Missing identifier, code, channels required fields"},
		{"empty code", `{"providerName":"passwordless","credentials":{"identifier":"` + alice + `","code":"","channels":["email"]}}`, "MISSING_REQUIRED_FIELDS", "Missing identifier, code, channels required fields"},
		{"no channels", `{"providerName":"passwordless","credentials":{"identifier":"` + alice + `","code":"` + code + `"}}`, "MISSING_REQUIRED_FIELDS", "Missing identifier, code, channels required fields"},
		{"code a number", `{"providerName":"passwordless","credentials":{"identifier":"` + alice + `","code":123456,"channels":["email"]}}`, "INVALID_INPUT", "identifier and code are required for passwordless OTP login"},
		{"identifier an array", `{"providerName":"passwordless","credentials":{"identifier":["` + alice + `"],"code":"` + code + `","channels":["email"]}}`, "INVALID_INPUT", "identifier and code are required for passwordless OTP login"},
		{"channels a string", `{"providerName":"passwordless","credentials":{"identifier":"` + alice + `","code":"` + code + `","channels":"email"}}`, "INVALID_INPUT", "channels must be an array"},
		{"unknown channel", `{"providerName":"passwordless","credentials":{"identifier":"` + alice + `","code":"` + code + `","channels":["fax"]}}`, "INVALID_INPUT", "each value in channels must be one of the following values: email, sms"},
		{"key in capitals", `{"providerName":"passwordless","credentials":{"identifier":"` + alice + `","CODE":"1","code":"` + code + `","channels":["email"]}}`, "INVALID_INPUT", "property CODE should not exist"},
		{"tenant", `{"providerName":"passwordless","tenantId":1,"credentials":` + credentials + `}`, "INVALID_INPUT", "tenantId must be a string"},
		{"rememberMe", `{"providerName":"passwordless","rememberMe":"yes","credentials":` + credentials + `}`, "INVALID_INPUT", "rememberMe must be a boolean value"},
		{"createUserIfNotExists", `{"providerName":"passwordless","createUserIfNotExists":1,"credentials":` + credentials + `}`, "INVALID_INPUT", "createUserIfNotExists must be a boolean value"},
		{"guard", `{"providerName":"passwordless","guard":1,"credentials":` + credentials + `}`, "INVALID_INPUT", "guard must be a string"},
		{"truncated", `{"providerName":"passwordless","creden`, "INVALID_INPUT", "Request body must be one JSON object without duplicate keys"},
		{"no channel", `{"providerName":"passwordless","credentials":{"identifier":"` + alice + `","code":"` + code + `","channels":[]}}`, "VERIFICATION_CODE_INVALID", "Invalid or expired code"},
		{"another channel", `{"providerName":"passwordless","credentials":{"identifier":"` + alice + `","code":"` + code + `","channels":["sms"]}}`, "VERIFICATION_CODE_INVALID", "Invalid or expired code"},
		{"no address", loginBody("not an email", code, ""), "VERIFICATION_CODE_INVALID", "Invalid or expired code"},
		{"nobody known", loginBody("nobody@example.com", code, ""), "VERIFICATION_CODE_INVALID", "Invalid or expired code"},
		{"new where none may be", loginBody(alice, code, `,"createUserIfNotExists":false`), "VERIFICATION_CODE_INVALID", "Invalid or expired code"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := s.in(t).Post("/auth/login", test.body)
			wantRefusal(a, http.StatusBadRequest, test.code, test.message)
		})
	}
	t.Run("another provider", func(t *testing.T) {
		a := s.in(t).Post("/auth/login", `{"providerName":"zzz","credentials":{}}`)
		wantRefusal(a, http.StatusUnauthorized, "INVALID_PROVIDER", "Invalid authentication providerName or provider is not enabled")
	})
	s.login(alice, code).Want(http.StatusOK) // none of it counted for more than it was
}

func TestLoginCodeIsTheLast(t *testing.T) {
	s := newSite(t, webtest.Options{})
	s.send(alice, "email").Want(http.StatusOK)
	first := s.Code()
	s.send(alice, "email").Want(http.StatusOK)
	second := s.Code()
	if first != second {
		wantWrongCode(s.login(alice, first))
	}
	s.login(alice, second).Want(http.StatusOK)
}

func TestLoginCodeDies(t *testing.T) {
	s := newSite(t, webtest.Options{})
	t.Run("of wrong guesses", func(t *testing.T) {
		s := s.in(t)
		s.send("guessed@example.com", "email").Want(http.StatusOK)
		code := s.Code()
		for range 5 {
			wantWrongCode(s.login("guessed@example.com", webtest.OtherCode(code)))
		}
		wantWrongCode(s.login("guessed@example.com", code))
	})
	t.Run("of age", func(t *testing.T) {
		s := s.in(t)
		s.send("late@example.com", "email").Want(http.StatusOK)
		code := s.Code()
		s.Advance(11 * time.Minute)
		wantWrongCode(s.login("late@example.com", code))
	})
	t.Run("and the person cools down", func(t *testing.T) {
		s := s.in(t)
		for range 2 {
			s.send("cold@example.com", "email").Want(http.StatusOK)
			code := s.Code()
			for range 5 {
				wantWrongCode(s.login("cold@example.com", webtest.OtherCode(code)))
			}
		}
		a := s.login("cold@example.com", "123456")
		wantRefusal(a, http.StatusTooManyRequests, "ACCOUNT_LOCKED", "Account temporarily locked after too many failed attempts. Please try again later.")
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
}

func TestCookieMode(t *testing.T) {
	s := newSite(t, webtest.Options{})
	cookieMode := []string{"X-Access-Token-Type", "cookie"}
	a := s.signIn(alice, "email", cookieMode...)
	if len(a.Fields) != 2 || a.Text("message") != "Login successful" || a.Fields["isRequiresMfa"] != false {
		t.Errorf("body is %s", a.Body)
	}
	for name, age := range map[string]int{accessCookie: 3600, refreshCookie: 2592000} {
		c := a.Cookie(name)
		if late := age - c.MaxAge; late < 0 || late > 60 { // the session ends no later for a machine that is busy
			t.Errorf("%s lives for %d s", name, c.MaxAge)
		}
		if c.Path != "/" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
			t.Errorf("cookie is %+v", c)
		}
	}
	if c := a.Cookie(rememberCookie); c.MaxAge >= 0 {
		t.Errorf("cookie is %+v", c)
	}
	cookies := "accessToken=" + a.Cookie(accessCookie).Value + "; refreshToken=" + a.Cookie(refreshCookie).Value
	if me := s.Get("/auth/me", "Cookie", cookies).Want(http.StatusOK); me.Text("email") != alice {
		t.Errorf("me is %s", me.Body)
	}
	t.Run("two cookies of a name", func(t *testing.T) {
		me := s.in(t).Get("/auth/me", "Cookie", cookies+"; accessToken=x")
		wantRefusal(me, http.StatusUnauthorized, "NO_AUTH_PROVIDED", "No authentication provided")
	})

	// An empty body, and no tokens for a script that asks for them.
	renewed := s.Post("/auth/refresh-token", "", "Cookie", cookies, "X-Access-Token-Type", "header").Want(http.StatusOK)
	if len(renewed.Fields) != 2 || renewed.Text("message") != "Token refreshed successfully" {
		t.Errorf("body is %s", renewed.Body)
	}
	cookies = "accessToken=" + renewed.Cookie(accessCookie).Value + "; refreshToken=" + renewed.Cookie(refreshCookie).Value

	out := s.Post("/auth/logout", "", "Cookie", cookies).Want(http.StatusOK)
	for _, name := range []string{accessCookie, refreshCookie} {
		if c := out.Cookie(name); c.Value != "" || c.Path != "/" || c.Expires.Unix() != 0 || c.MaxAge >= 0 {
			t.Errorf("cookie is %+v", c)
		}
	}
	wantRefusal(s.Get("/auth/me", "Cookie", cookies), http.StatusUnauthorized, "INVALID_TOKEN", "Session not found")
	s.Post("/auth/refresh-token", "", "Cookie", cookies).Want(http.StatusUnauthorized)
}

func TestCookieModeForgets(t *testing.T) {
	s := newSite(t, webtest.Options{}, func(c *Config) { c.SecureCookies = false })
	s.send(alice, "email").Want(http.StatusOK)
	a := s.Post("/auth/login", loginBody(alice, s.Code(), `,"rememberMe":false`), "X-Access-Token-Type", "cookie").Want(http.StatusOK)
	check := func(a webtest.Answer) {
		t.Helper()
		for _, name := range []string{accessCookie, refreshCookie, rememberCookie} {
			if c := a.Cookie(name); c.MaxAge != 0 || !c.Expires.IsZero() || c.Secure {
				t.Errorf("cookie is %+v", c)
			}
		}
		if value := a.Cookie(rememberCookie).Value; value != "0" {
			t.Errorf("%s is %q", rememberCookie, value)
		}
	}
	check(a)
	check(s.Post("/auth/refresh-token", "", "X-Access-Token-Type", "cookie",
		"Cookie", "nest_auth_remember=0; refreshToken="+a.Cookie(refreshCookie).Value).Want(http.StatusOK))
}
