// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// outcome is what a case comes to, in words that are compared and printed.
func outcome(a webtest.Answer) string {
	if code, ok := a.Fields["code"]; ok && a.Status >= http.StatusBadRequest {
		for _, field := range []string{"statusCode", "error", "message", "code"} {
			if a.Fields[field] == nil {
				return fmt.Sprintf("%d without %s", a.Status, field)
			}
		}
		return fmt.Sprintf("%d %v %q", a.Status, code, a.Fields["message"])
	}
	if message, ok := a.Fields["message"]; ok {
		return fmt.Sprintf("%d %q", a.Status, message)
	}
	return fmt.Sprint(a.Status)
}

// trial collects what the steps of a case come to.
type trial struct {
	*site
	got []string
}

func (c *trial) add(what string, args ...any) { c.got = append(c.got, fmt.Sprintf(what, args...)) }

// step notes what came of a request.
func (c *trial) step(a webtest.Answer) webtest.Answer {
	c.got = append(c.got, outcome(a))
	return a
}

func (c *trial) post(path, body string, headers ...string) webtest.Answer {
	return c.step(c.Post(path, body, headers...))
}

// mails notes how many messages are on their way.
func (c *trial) mails() { c.add("%d messages", c.Pending()) }

const (
	sendPath, loginPath, refreshPath, challengePath = "/auth/passwordless/send", "/auth/login", "/auth/refresh-token", "/auth/mfa/challenge"

	sentOK       = `200 "If an account exists, a login code has been sent"`
	loggedIn     = `200 "Login successful"`
	wrongCode    = `400 VERIFICATION_CODE_INVALID "Invalid or expired code"`
	wrongMFA     = `400 VERIFICATION_CODE_INVALID "Invalid verification code"`
	throttled    = `429 RATE_LIMITED "Too many requests. Please try again later."`
	noAuth       = `401 NO_AUTH_PROVIDED "No authentication provided"`
	badToken     = `401 INVALID_TOKEN "Invalid or expired token"`
	noSession    = `401 INVALID_TOKEN "Session not found"`
	usedUp       = `401 REFRESH_TOKEN_INVALID "Refresh token is no longer valid (rotated or replayed)"`
	codeSent     = `200 "MFA code sent successfully"`
	proved       = `200 "2FA verification successful"`
	notOnFile    = `403 MFA_METHOD_NOT_AVAILABLE "MFA method is not available"`
	badMethod    = `400 INVALID_INPUT "method must be one of the following values: email, sms, totp"`
	badChannel   = `400 INVALID_INPUT "channel must be one of the following values: email, sms"`
	malformed    = `400 INVALID_INPUT "Request body must be one JSON object without duplicate keys"`
	missing      = `400 MISSING_REQUIRED_FIELDS "Missing identifier, code, channels required fields"`
	outOfGuesses = `400 VERIFICATION_CODE_INVALID "Too many invalid attempts. Please request a new verification code."`
	badRecover   = `401 MFA_RECOVERY_CODE_INVALID "Invalid recovery code"`
)

// TestCases are the conformance cases of the dialect's contract, N1 to N45, and
// further ones that a careless server fails.
func TestCases(t *testing.T) {
	usual := webtest.Options{SMS: true}
	noSMS := webtest.Options{}
	optional := policy(otp.MFAPolicy{UserToggle: true})
	required := policy(otp.MFAPolicy{Required: true})
	off := policy(otp.MFAPolicy{Off: true})
	onlyKnown := webtest.Options{Domain: func(c *otp.Config) { c.Directory = people{Tenants: []string{"acme"}} }}
	needsToken := func(c *Config) { c.SendNeedsToken = true }

	for _, tc := range []struct {
		name    string
		options webtest.Options
		edit    []func(*Config)
		run     func(c *trial)
		want    []string
	}{
		{"N1 send", usual, nil, func(c *trial) {
			c.step(c.send(alice, "email"))
			c.mails()
			c.add("%d digits", len(c.Code()))
		}, []string{sentOK, "1 messages", "6 digits"}},
		{"N2 send to who may not sign in", webtest.Options{Deny: []string{"mallory@example.com"}}, nil, func(c *trial) {
			c.step(c.send("mallory@example.com", "email"))
			c.mails()
		}, []string{sentOK, "0 messages"}},
		{"N3 send {}", usual, nil, func(c *trial) { c.post(sendPath, `{}`) }, []string{`400 INVALID_INPUT "identifier should not be empty"`}},
		{"N4 channel fax", usual, nil, func(c *trial) { c.step(c.send(alice, "fax")) }, []string{badChannel}},
		{"N5 blank identifier", usual, nil, func(c *trial) { c.step(c.send("   ", "email")) }, []string{`400 MISSING_REQUIRED_FIELD "Identifier is required"`}},
		{"N6 identifier a number", usual, nil, func(c *trial) { c.post(sendPath, `{"identifier":5,"channel":"email"}`) }, []string{`400 INVALID_INPUT "identifier must be a string"`}},
		{"N7 the documented tenantId; too long; no string", usual, nil, func(c *trial) {
			for _, tenant := range []string{`"string"`, `"` + strings.Repeat("x", 129) + `"`, `5`} {
				c.post(sendPath, `{"identifier":"`+alice+`","channel":"email","tenantId":`+tenant+`}`)
			}
		}, []string{sentOK, `400 INVALID_INPUT "tenantId must be shorter than or equal to 128 characters"`, `400 INVALID_INPUT "tenantId must be a string"`}},
		{"N8 truncated JSON", usual, nil, func(c *trial) { c.post(sendPath, `{"identif`) }, []string{malformed}},
		{"N9 GET on send", usual, nil, func(c *trial) { c.step(c.Get(sendPath)) }, []string{`405 METHOD_NOT_ALLOWED "Method not allowed"`}},
		{"N10 send in other letters", usual, nil, func(c *trial) {
			c.step(c.send(" ALICE@Example.com ", "email"))
			c.step(c.login(alice, c.Code()))
		}, []string{sentOK, loggedIn}},
		{"N11 login", usual, nil, func(c *trial) {
			c.send(alice, "email")
			a := c.step(c.login(alice, c.Code()))
			c.add("isRequiresMfa %v", a.Fields["isRequiresMfa"])
			c.add("tokens %v", strings.Count(a.Text("accessToken"), ".") == 2 && strings.Count(a.Text("refreshToken"), ".") == 2)
		}, []string{loggedIn, "isRequiresMfa false", "tokens true"}},
		{"N12 the same code again", usual, nil, func(c *trial) {
			c.send(alice, "email")
			code := c.Code()
			c.step(c.login(alice, code))
			c.step(c.login(alice, code))
		}, []string{loggedIn, wrongCode}},
		{"N13 wrong code", usual, nil, func(c *trial) {
			c.send(alice, "email")
			c.step(c.login(alice, webtest.OtherCode(c.Code())))
		}, []string{wrongCode}},
		{"N14 unknown user", usual, nil, func(c *trial) {
			c.send(alice, "email")
			wrong := c.login(alice, webtest.OtherCode(c.Code()))
			unknown := c.step(c.login("nobody@example.com", "123456"))
			c.add("same body %v", unknown.Body == wrong.Body)
		}, []string{wrongCode, "same body true"}},
		{"N15 code after a newer send", usual, nil, func(c *trial) {
			c.send(alice, "email")
			old := c.Code()
			c.send(alice, "email")
			if c.Code() == old {
				c.Skip("the same code twice")
			}
			c.step(c.login(alice, old))
		}, []string{wrongCode}},
		{"N16 5 wrong, then right", usual, nil, func(c *trial) {
			c.send(alice, "email")
			code := c.Code()
			for range 5 {
				c.login(alice, webtest.OtherCode(code))
			}
			c.step(c.login(alice, code))
		}, []string{wrongCode}},
		{"N17 expired code", usual, nil, func(c *trial) {
			c.send(alice, "email")
			code := c.Code()
			c.Advance(10*time.Minute + time.Second)
			c.step(c.login(alice, code))
		}, []string{wrongCode}},
		{"N18 login without channels; without code", usual, nil, func(c *trial) {
			c.post(loginPath, `{"providerName":"passwordless","credentials":{"identifier":"`+alice+`","code":"123456"}}`)
			c.post(loginPath, `{"providerName":"passwordless","credentials":{"identifier":"`+alice+`","channels":["email"]}}`)
		}, []string{missing, missing}},
		{"N19 both channels with an e-mail address", usual, nil, func(c *trial) {
			c.send(alice, "email")
			c.post(loginPath, loginBody(alice, c.Code(), ""))
		}, []string{loggedIn}},
		{"N20 provider zzz", usual, nil, func(c *trial) { c.post(loginPath, `{"providerName":"zzz","credentials":{}}`) },
			[]string{`401 INVALID_PROVIDER "Invalid authentication providerName or provider is not enabled"`}},
		{"N21 claims", usual, nil, func(c *trial) {
			header, access := claims(c.TB, c.signIn(alice, "email").Text("accessToken"))
			c.add("%v %v", header["alg"], access["exp"].(float64)-access["iat"].(float64))
			for _, name := range []string{"id", "sub", "sessionId", "email", "phone", "emailVerifiedAt", "phoneVerifiedAt", "roles", "tenantId", "isMfaEnabled", "isMfaVerified", "type", "iat", "exp"} {
				if _, ok := access[name]; !ok {
					c.add("no %s", name)
				}
			}
		}, []string{"RS256 3600"}},
		{"N22 cookie mode", usual, nil, func(c *trial) {
			a := c.signIn(alice, "email", "X-Access-Token-Type", "cookie")
			c.add("%v %v", a.Fields["accessToken"], a.Fields["refreshToken"])
			for _, name := range TokenCookies {
				cookie := a.Cookie(name)
				c.add("%s %v %s %v %v", name, cookie.HttpOnly, cookie.Path, cookie.SameSite == http.SameSiteLaxMode, cookie.MaxAge > 0)
			}
		}, []string{"<nil> <nil>", "accessToken true / true true", "refreshToken true / true true"}},
		{"N23 rememberMe false", usual, nil, func(c *trial) {
			c.send(alice, "email")
			a := c.Post(loginPath, loginBody(alice, c.Code(), `,"rememberMe":false`), "X-Access-Token-Type", "cookie")
			for _, name := range append([]string{rememberCookie}, TokenCookies...) {
				c.add("%s %d %v", name, a.Cookie(name).MaxAge, a.Cookie(name).Expires.IsZero())
			}
			c.add("%s", a.Cookie(rememberCookie).Value)
		}, []string{"nest_auth_remember 0 true", "accessToken 0 true", "refreshToken 0 true", "0"}},
		{"N24 me without; bad; refresh token", usual, nil, func(c *trial) {
			a := c.signIn(alice, "email")
			c.step(c.Get("/auth/me"))
			c.step(c.Get("/auth/me", webtest.Bearer("bad")...))
			c.step(c.Get("/auth/me", webtest.Bearer(a.Text("refreshToken"))...))
		}, []string{noAuth, badToken, badToken}},
		{"N25 refresh; the old one replayed; the new one", usual, nil, func(c *trial) {
			old := c.signIn(alice, "email").Text("refreshToken")
			next := c.step(c.refresh(old))
			c.step(c.refresh(old))
			c.step(c.refresh(next.Text("refreshToken")))
			c.step(c.Get("/auth/me", webtest.Bearer(next.Text("accessToken"))...))
		}, []string{`200 "Token refreshed successfully"`, usedUp, usedUp, noSession}},
		{"N26 refresh {}", usual, nil, func(c *trial) { c.post(refreshPath, `{}`) }, []string{`401 REFRESH_TOKEN_INVALID "refreshToken is required"`}},
		{"N27 refresh by cookie, empty body", usual, nil, func(c *trial) {
			cookie := c.signIn(alice, "email", "X-Access-Token-Type", "cookie").Cookie(refreshCookie)
			a := c.post(refreshPath, ``, "Cookie", refreshCookie+"="+cookie.Value, "X-Access-Token-Type", "cookie")
			c.add("new %v", a.Cookie(refreshCookie).Value != cookie.Value && a.Cookie(accessCookie).Value != "")
		}, []string{`200 "Token refreshed successfully"`, "new true"}},
		{"N28 logout without; with a token", usual, nil, func(c *trial) {
			access := webtest.Bearer(c.signIn(alice, "email").Text("accessToken"))
			c.post("/auth/logout", ``)
			a := c.post("/auth/logout", ``, access...)
			c.add("cleared %v", a.Cookie(accessCookie).MaxAge < 0 && a.Cookie(refreshCookie).MaxAge < 0)
			c.step(c.Get("/auth/me", access...))
		}, []string{`200 "Logged out successfully"`, `200 "Logged out successfully"`, "cleared true", noSession}},
		{"N29 challenge without a token", usual, nil, func(c *trial) { c.post(challengePath, `{"method":"email"}`) }, []string{noAuth}},
		{"N30 challenge, MFA off", off, nil, func(c *trial) { c.step(c.challenge(c.signInAlice(nil).Text("accessToken"), "email")) },
			[]string{`403 MFA_NOT_ENABLED "MFA is not enabled for the application"`}},
		{"N31 challenge by e-mail", required, nil, func(c *trial) {
			c.step(c.challenge(c.signInAlice(nil).Text("accessToken"), "email"))
			c.mails()
		}, []string{codeSent, "1 messages"}},
		{"N32 challenge {}; fax; no string", required, nil, func(c *trial) {
			access := webtest.Bearer(c.signInAlice(nil).Text("accessToken"))
			for _, body := range []string{`{}`, `{"method":"fax"}`, `{"method":5}`} {
				c.post(challengePath, body, access...)
			}
			c.mails()
		}, []string{badMethod, badMethod, badMethod, "0 messages"}},
		{"N33 verify; again", required, nil, func(c *trial) {
			access := c.signInAlice(nil).Text("accessToken")
			c.challenge(access, "email")
			code := c.Code()
			a := c.step(c.prove(access, "email", code, ""))
			_, claimed := claims(c.TB, a.Text("accessToken"))
			c.add("isMfaVerified %v", claimed["isMfaVerified"])
			c.step(c.prove(a.Text("accessToken"), "email", code, ""))
		}, []string{proved, "isMfaVerified true", wrongMFA}},
		{"N34 verify 5 wrong, then right", required, nil, func(c *trial) {
			access := c.signInAlice(nil).Text("accessToken")
			c.challenge(access, "email")
			code := c.Code()
			for range 5 {
				c.step(c.prove(access, "email", webtest.OtherCode(code), ""))
			}
			c.step(c.prove(access, "email", code, ""))
		}, []string{wrongMFA, wrongMFA, wrongMFA, wrongMFA, outOfGuesses, outOfGuesses}},
		{"N35 verify expired", required, nil, func(c *trial) {
			access := c.signInAlice(nil).Text("accessToken")
			c.challenge(access, "email")
			code := c.Code()
			c.Advance(10*time.Minute + time.Second)
			c.step(c.prove(access, "email", code, ""))
		}, []string{`400 VERIFICATION_CODE_EXPIRED "Verification code has expired"`}},
		{"N36 verify trustDevice", required, nil, func(c *trial) {
			trust := c.proved(`,"trustDevice":true`).Text("trustToken")
			for _, headers := range [][]string{{TrustHeader, trust}, nil} {
				c.add("isRequiresMfa %v", c.signInAlice(headers).Fields["isRequiresMfa"])
			}
		}, []string{"isRequiresMfa false", "isRequiresMfa true"}},
		{"N37 recovery code; reused; bad", required, nil, func(c *trial) {
			code := c.Post("/auth/mfa/generate-recovery-code", ``, webtest.Bearer(c.proved("").Text("accessToken"))...).Text("code")
			for _, code := range []string{code, code, "bad"} {
				c.post("/auth/mfa/verify-recovery-code", `{"code":"`+code+`"}`, webtest.Bearer(c.signInAlice(nil).Text("accessToken"))...)
			}
		}, []string{`200 "Recovery code verification successful"`, badRecover, badRecover}},
		{"N38 pending token at a protected route; at the app", required, nil, func(c *trial) {
			access := webtest.Bearer(c.signInAlice(nil).Text("accessToken"))
			c.step(c.Get("/auth/user", access...))
			a := c.Get("/private", access...)
			c.add("%d %v from the app %v", a.Status, a.Fields["code"], a.FromApp())
		}, []string{`401 MFA_REQUIRED "Multi-factor authentication is required"`, "401 MFA_REQUIRED from the app false"}},
		{"N39 4th send in a minute", usual, nil, func(c *trial) {
			for range 3 {
				c.step(c.send(alice, "email"))
			}
			a := c.step(c.send(alice, "email"))
			c.add("Retry-After %v", a.Header.Get("Retry-After") != "")
		}, []string{sentOK, sentOK, sentOK, throttled, "Retry-After true"}},
		{"N40 send_requires token: none; bad; good", usual, []func(*Config){needsToken}, func(c *trial) {
			_, access := c.SignInBy("another", "bob@example.com")
			c.step(c.send(alice, "email"))
			for _, raw := range []string{"bad", access} {
				c.post(sendPath, `{"identifier":"`+alice+`","channel":"email"}`, webtest.Bearer(raw)...)
			}
		}, []string{noAuth, badToken, sentOK}},
		{"N40 by default: stale token", usual, nil, func(c *trial) {
			c.post(sendPath, `{"identifier":"`+alice+`","channel":"email"}`, webtest.Bearer("stale")...)
		}, []string{sentOK}},
		{"N41 tenantId null", usual, nil, func(c *trial) {
			c.post(sendPath, `{"identifier":"`+alice+`","channel":"email","tenantId":null}`)
			c.post(loginPath, loginBody(alice, c.Code(), `,"tenantId":null`))
		}, []string{sentOK, loggedIn}},
		{"N42 1000 tenantIds, one address", usual, nil, func(c *trial) {
			accepted := 0
			for i := range 1000 {
				if c.Post(sendPath, fmt.Sprintf(`{"identifier":%q,"channel":"email","tenantId":"t%d"}`, alice, i)).Status == http.StatusOK {
					accepted++
				}
			}
			c.add("%d sent", accepted)
			for range accepted {
				c.Code()
			}
			locked := 0
			for i := range 20 {
				if c.Post(loginPath, loginBody(alice, "000000", fmt.Sprintf(`,"tenantId":"t%d"`, i))).Status != http.StatusBadRequest {
					locked++
				}
			}
			c.add("refused otherwise %d", locked)
		}, []string{"3 sent", "refused otherwise 0"}}, // the codes are dead after 5 guesses: the rest counts for nothing
		{"N43 SMS without a sender", noSMS, nil, func(c *trial) { c.step(c.send(phone, "sms")) }, []string{`400 PROVIDER_NOT_FOUND "Phone authentication is not enabled"`}},
		{"N44 set-up by who has MFA off", optional, nil, func(c *trial) {
			access := c.proved("").Text("accessToken")
			a := c.Get("/auth/mfa/status", webtest.Bearer(access)...)
			c.add("verified %v enabled %v", a.Fields["verifiedMethods"], a.Fields["isEnabled"])
		}, []string{"verified [email] enabled false"}},
		{"N45 challenge sms, no phone; totp, no app; method off", required, nil, func(c *trial) {
			access := c.signInAlice(nil).Text("accessToken")
			c.step(c.challenge(access, "sms"))
			c.step(c.challenge(access, "totp"))
		}, []string{notOnFile, notOnFile}},
		{"N45 method switched off", policy(otp.MFAPolicy{Methods: []otp.FactorMethod{otp.TOTPFactor}}), nil, func(c *trial) {
			c.step(c.challenge(c.signInAlice(nil).Text("accessToken"), "email"))
		}, []string{notOnFile}},
		{"tenant of the directory; unknown tenant", onlyKnown, nil, func(c *trial) {
			for _, tenant := range []string{"acme", "other"} {
				c.post(sendPath, fmt.Sprintf(`{"identifier":%q,"channel":"email","tenantId":%q}`, alice, tenant))
			}
			c.mails()
		}, []string{sentOK, sentOK, "1 messages"}},
		{"13 wrong codes, then the right one", usual, nil, func(c *trial) {
			c.send(alice, "email")
			code := c.Code()
			for range 13 {
				c.login(alice, webtest.OtherCode(code))
			}
			c.step(c.login(alice, code))
		}, []string{wrongCode}},
		{"13 wrong codes of an app, then the right one", required, nil, func(c *trial) {
			app := c.addApp(c.proved("").Text("accessToken"))
			c.Advance(time.Minute)
			access := c.signInAlice(nil).Text("accessToken")
			for range 13 {
				c.prove(access, "totp", webtest.OtherCode(app(c.Now())), "")
			}
			c.step(c.prove(access, "totp", app(c.Now()), ""))
		}, []string{`429 ACCOUNT_LOCKED "Account temporarily locked after too many failed attempts. Please try again later."`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &trial{site: newSite(t, tc.options, tc.edit...)}
			tc.run(c)
			want, got := strings.Join(tc.want, "; "), strings.Join(c.got, "; ")
			t.Logf("%s\n\texpected %s\n\tgot      %s", tc.name, want, got)
			if got != want {
				t.Error("not as expected")
			}
		})
	}
}
