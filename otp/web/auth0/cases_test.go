// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// outcome words an answer as the cases do: the status, and of a refusal its
// texts, of anything else the names of its fields.
func (a answer) outcome() string {
	if code := a.text("error"); code != "" {
		return strings.TrimSpace(fmt.Sprintf("%d %s: %s %s", a.Status, code, a.text("error_description"), a.text("error_uri")))
	}
	names := strings.Join(slices.Sorted(maps.Keys(a.Fields)), " ")
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, names))
}

// sent words the next message.
func (r *rig) sent(t *testing.T) string {
	t.Helper()
	m := r.In(t).Message()
	switch {
	case m.Link != "" && m.Code == "":
		return "a link"
	case m.Link == "" && sixDigits.MatchString(m.Code):
		return "6 digits by " + string(m.Channel)
	}
	return "something else"
}

// written is the language that a message is written in.
func written(m otp.Message) string { return text.NewCatalogue().Words(m.Locale).Language }

// wrongly redeems another code than the right one.
func (r *rig) wrongly(t *testing.T, c Client, connection, username, code string) answer {
	t.Helper()
	return r.post(t, tokenPath, redeem(c, connection, username, webtest.OtherCode(code)))
}

// contract are the rows that a run of the contract's cases has come by.
type contract map[string]bool

// check logs a row as case | expected | got. The name begins with the numbers of
// its cases.
func (c contract) check(t *testing.T, name, want, got string) {
	t.Helper()
	for _, word := range strings.Fields(name) {
		if !caseNumber.MatchString(word) {
			break
		}
		c[word] = true
	}
	t.Logf("%s | %s | %s", name, want, got)
	if want != got {
		t.Errorf("%s: they differ", name)
	}
}

var caseNumber = regexp.MustCompile(`^A[0-9]+$`)

// TestCases has the contract's cases A1 to A49: each is logged with what is
// expected and what came. What they leave open is in the other tests. Where the
// project decided otherwise than the reference, the row says so.
func TestCases(t *testing.T) {
	rows := make(contract)
	t.Run("programs", func(t *testing.T) { testCases(t, rows) })
	t.Run("browsers", func(t *testing.T) { testBrowserCases(t, rows) })
	t.Run("links", func(t *testing.T) { testLinkCases(t, rows) })
	if t.Failed() {
		return
	}
	for n := 1; n <= 49; n++ {
		if name := fmt.Sprintf("A%d", n); !rows[name] {
			t.Errorf("%s has no row", name)
		}
	}
}

// testCases are those of programs.
func testCases(t *testing.T, rows contract) {
	s := newSigner(t)
	r := newRig(t, webtest.Options{SMS: true}, withClients(regular, native, other, spa, s.Client))
	mailOnly := newRig(t, webtest.Options{NoKey: true})
	unauthorized := "403 unauthorized_client: Grant type '" + grantOTP + "' not allowed for the client. https://auth0.com/docs/clients/client-grant-types"
	const (
		bad401  = "401 invalid_client: " + invalid401
		wrong   = "403 invalid_grant: " + wrongEmail
		phone   = "403 invalid_grant: " + wrongPhone
		tooMany = "403 invalid_grant: " + maxAttempts
		refused = "403 invalid_grant: Unknown or invalid refresh token"
		started = "200 _id email email_verified"
		pattern = `400 bad.phone_number: String does not match pattern: ^\+[0-9]{1,15}$`
		tokens  = "200 access_token expires_in id_token refresh_token scope token_type"
	)
	start := func(f fields) func(*testing.T) string {
		return func(t *testing.T) string { return r.post(t, startPath, f).outcome() }
	}
	// started and what was sent
	delivered := func(f func() fields, headers ...string) func(*testing.T) string {
		return func(t *testing.T) string {
			a := r.post(t, startPath, f(), headers...)
			if a.Status != http.StatusOK {
				return a.outcome()
			}
			return a.outcome() + "; " + r.sent(t)
		}
	}
	email := func(c Client) func() fields { return func() fields { return startEmail(c, r.newEmail()) } }
	valid := startEmail(regular, "a@example.org")
	assertion := func(name string, value any) func(*testing.T) string {
		return func(t *testing.T) string {
			claims := s.claims()
			if name != "" {
				claims = claims.with(name, value)
			}
			f := asserted(startEmail(s.Client, r.newEmail()), s.sign(t, jose.RS256, s.rsa, claims))
			a := r.post(t, startPath, f)
			if a.Status == http.StatusOK {
				r.In(t).Message()
			}
			return a.outcome()
		}
	}
	token := func(f fields) func(*testing.T) string {
		return func(t *testing.T) string { return r.post(t, tokenPath, f).outcome() }
	}
	grant := redeem(regular, "email", "nobody@example.org", "123456")
	for _, test := range []struct {
		name, want string
		run        func(*testing.T) string
	}{
		{"A1 start email code, with the secret", started + "; 6 digits by email", delivered(email(regular))},
		{"A2 start sms", "200 _id phone_number phone_verified; 6 digits by sms", delivered(func() fields { return startSMS(regular, r.newPhone()) })},
		{"A3 start without send", started + "; a link", delivered(func() fields { return email(regular)().with("send", nil) })},
		{"A5 no client_id", "400 bad.client_id: Missing required property: client_id", start(valid.with("client_id", nil))},
		{"A6 no connection", "400 bad.connection: Missing required property: connection", start(valid.with("connection", nil))},
		{"A6 connection github", "400 bad.connection: Connection does not exist", start(valid.with("connection", "github"))},
		{"A6 a disabled connection", "400 bad.connection: Connection is disabled", func(t *testing.T) string {
			return mailOnly.post(t, startPath, startSMS(regular, mailOnly.newPhone())).outcome()
		}},
		{"A7 sms without a number", "400 bad.phone_number: Missing required property: phone_number", start(startSMS(regular, "").with("phone_number", nil))},
		{"A7 number 0123", pattern, start(startSMS(regular, "0123"))},
		{"A8 authParams x", "400 bad.authParams: error in authParams - invalid type: string (expected object)", start(valid.with("authParams", "x"))},
		{"A9 age 1", "400 bad.request: the following properties are not allowed: age", start(valid.with("age", 1))},
		{"A10 no secret", bad401, start(valid.with("client_secret", nil))},
		{"A10 wrong secret", bad401, start(valid.with("client_secret", "wrong"))},
		{"A11 public client", started + "; 6 digits by email", delivered(email(native))},
		{"A12 private_key_jwt", started, assertion("", nil)},
		{"A12 expired", bad401, assertion("exp", time.Now().Add(-time.Minute).Unix())},
		{"A12 wrong aud", bad401, assertion("aud", "https://else.example.com/")},
		{"A12 a jti", started, assertion("jti", "once")},
		{"A12 the jti again", bad401, assertion("jti", "once")},
		{"A13 unknown e-mail", started + "; 6 digits by email", delivered(email(regular))},
		{"A14 JSON as text/plain", started + "; 6 digits by email", func(t *testing.T) string {
			return r.do(t, http.MethodPost, startPath, plainBody, email(regular)().json(t)).outcome() + "; " + r.sent(t)
		}},
		{"A15 x-request-language", "written in de", func(t *testing.T) string {
			r.post(t, startPath, email(regular)(), "x-request-language", "de").Want(http.StatusOK)
			return "written in " + written(r.In(t).Message())
		}},
		{"A15 a language that there is none of falls back", "written in en", func(t *testing.T) string {
			r.post(t, startPath, email(regular)(), "x-request-language", "tlh").Want(http.StatusOK)
			return "written in " + written(r.In(t).Message())
		}},
		{"A16 right code, JSON", "200 access_token expires_in scope token_type; a day true, Bearer", func(t *testing.T) string {
			a := r.login(t, regular, "")
			seconds, _ := a.Fields["expires_in"].(float64)
			return fmt.Sprintf("%s; a day %t, %s", a.outcome(), aDay(seconds), a.text("token_type"))
		}},
		{"A17 right code, form", "200 access_token expires_in scope token_type", func(t *testing.T) string {
			address := r.newEmail()
			f := redeem(regular, "email", address, r.emailCode(t, regular, address))
			return r.do(t, http.MethodPost, tokenPath, formBody, f.form()).outcome()
		}},
		{"A18 scope openid offline_access", tokens, func(t *testing.T) string { return r.login(t, regular, "openid offline_access").outcome() }},
		{"A18 scope email", "200 access_token expires_in scope token_type", func(t *testing.T) string { return r.login(t, regular, "email").outcome() }},
		{"A19 A20 three wrong codes, the right one", strings.Join([]string{wrong, wrong, tooMany, tooMany}, "; "), func(t *testing.T) string {
			address := r.newEmail()
			code := r.emailCode(t, regular, address)
			var all []string
			for range 3 {
				all = append(all, r.wrongly(t, regular, "email", address, code).outcome())
			}
			return strings.Join(append(all, r.post(t, tokenPath, redeem(regular, "email", address, code)).outcome()), "; ")
		}},
		{"A21 wrong sms code", phone, func(t *testing.T) string {
			number := r.newPhone()
			return r.wrongly(t, regular, "sms", number, r.smsCode(t, regular, number)).outcome()
		}},
		{"A22 after 3 minutes", "403 invalid_grant: " + expired, func(t *testing.T) string {
			address := r.newEmail()
			code := r.emailCode(t, regular, address)
			r.Advance(3 * time.Minute)
			return r.post(t, tokenPath, redeem(regular, "email", address, code)).outcome()
		}},
		{"A23 older code", wrong, func(t *testing.T) string {
			address := r.newEmail()
			older := r.emailCode(t, regular, address)
			for range 2 { // one may be the same again
				if r.emailCode(t, regular, address) != older {
					break
				}
			}
			return r.post(t, tokenPath, redeem(regular, "email", address, older)).outcome()
		}},
		{"A24 code again", wrong, func(t *testing.T) string {
			address := r.newEmail()
			f := redeem(regular, "email", address, r.emailCode(t, regular, address))
			r.post(t, tokenPath, f).Want(http.StatusOK)
			return r.post(t, tokenPath, f).outcome()
		}},
		{"A25 unknown username", wrong, token(grant)},
		{"A26 sms code by realm email", wrong, func(t *testing.T) string {
			number := r.newPhone()
			return r.post(t, tokenPath, redeem(regular, "email", number, r.smsCode(t, regular, number))).outcome()
		}},
		{"A27 no otp", "400 invalid_request: Missing required parameter: otp", token(grant.with("otp", nil))},
		{"A27 no username", "400 invalid_request: Missing required parameter: username", token(grant.with("username", nil))},
		{"A27 no realm", "400 invalid_request: Missing required parameter: realm", token(grant.with("realm", nil))},
		{"A28 grant not enabled", unauthorized, token(redeem(spa, "email", "a@example.org", "123456"))},
		{"A29 grant_type foo", "501 unsupported_grant_type: Unsupported grant type: foo", token(grant.with("grant_type", "foo"))},
		{"A30 another client's code", wrong, func(t *testing.T) string {
			address := r.newEmail()
			return r.post(t, tokenPath, redeem(other, "email", address, r.emailCode(t, native, address))).outcome()
		}},
		{"A31 id_token", "iss https://app.example.com/, aud web, nonce <nil>", func(t *testing.T) string {
			claims := r.verifyToken(t, r.login(t, regular, "openid").text("id_token"))
			return fmt.Sprintf("iss %v, aud %v, nonce %v", claims["iss"], claims["aud"], claims["nonce"])
		}},
		{"A32 refresh", tokens, func(t *testing.T) string {
			return r.post(t, tokenPath, refresh(regular, r.login(t, regular, "openid offline_access").text("refresh_token"))).outcome()
		}},
		{"A32 unknown refresh token", refused, token(refresh(regular, "unknown"))},
		{"A32 A33 revoke, then refresh", "200; " + refused, func(t *testing.T) string {
			raw := r.login(t, regular, "offline_access").text("refresh_token")
			f := fields{"client_id": regular.ID, "client_secret": regular.Secret, "token": raw}
			revoked := r.post(t, revokePath, f)
			return revoked.outcome() + revoked.Body + "; " + r.post(t, tokenPath, refresh(regular, raw)).outcome()
		}},
		{"A34 userinfo", "200 email email_verified sub", func(t *testing.T) string {
			return r.do(t, http.MethodGet, userinfoPath, "", "", bearer(r.login(t, regular, "openid email"))...).outcome()
		}},
		{"A34 userinfo, nothing and garbage", "401 unauthorized: Unauthorized; 401 unauthorized: Unauthorized", func(t *testing.T) string {
			owning := newRig(t, webtest.Options{NoKey: true}, func(c *Config) { c.Exclusive = true })
			none := owning.do(t, http.MethodGet, userinfoPath, "", "")
			return none.outcome() + "; " + owning.do(t, http.MethodGet, userinfoPath, "", "", webtest.Bearer("garbage")...).outcome()
		}},
		{"A35 jwks before any login", "200 keys RS256", func(t *testing.T) string {
			a := newRig(t, webtest.Options{NoKey: true}).do(t, http.MethodGet, jwksPath, "", "")
			var set jose.JSONWebKeySet
			if err := json.Unmarshal([]byte(a.Body), &set); err != nil || len(set.Keys) == 0 {
				return a.outcome()
			}
			return a.outcome() + " " + set.Keys[0].Algorithm
		}},
		{"A36 51 starts", "50 of 200; 429 too_many_requests: Rate limit exceeded; limit 50, remaining 0, reset true, retry-after 72", func(t *testing.T) string {
			limited := newRig(t, webtest.Options{Frozen: true, NoKey: true, ClientIP: otp.DefaultThrottles().ClientIP})
			accepted := 0
			for range 50 {
				if limited.post(t, startPath, startEmail(regular, limited.newEmail())).Status == http.StatusOK {
					accepted++
				}
			}
			a := limited.post(t, startPath, startEmail(regular, limited.newEmail()))
			return fmt.Sprintf("%d of 200; %s; limit %s, remaining %s, reset %t, retry-after %s", accepted, a.outcome(),
				a.Header.Get(limitHeader), a.Header.Get(remainingHeader), a.Header.Get(resetHeader) != "", a.Header.Get("Retry-After"))
		}},
		{"A37 auth0-forwarded-for, trusted and public", "200 200 429; 200 429", func(t *testing.T) string {
			trusted := Client{ID: "trusted", Secret: "correct horse", TrustForwardedFor: true}
			limited := newRig(t, webtest.Options{Frozen: true, NoKey: true, ClientIP: []otp.Throttle{{Events: 1, Window: time.Hour}}},
				withClients(trusted, native))
			status := func(c Client, ip string) int {
				return limited.post(t, startPath, startEmail(c, limited.newEmail()), "auth0-forwarded-for", ip).Status
			}
			byTrusted := fmt.Sprint(status(trusted, "198.51.100.1"), status(trusted, "198.51.100.2"), status(trusted, "198.51.100.2"))
			return byTrusted + "; " + fmt.Sprint(status(native, "198.51.100.3"), status(native, "198.51.100.4"))
		}},
		{"A46 send null", started + "; a link", func(t *testing.T) string {
			body := strings.Replace(email(regular)().json(t), `"code"`, "null", 1)
			return r.do(t, http.MethodPost, startPath, jsonBody, body).outcome() + "; " + r.sent(t)
		}},
		{"A46 send foo", "400 bad.send: error in send - invalid value (expected link or code)", start(valid.with("send", "foo"))},
		{"A46 sms with send link", "200 _id phone_number phone_verified; 6 digits by sms", delivered(func() fields {
			return startSMS(regular, r.newPhone()).with("send", "link")
		})},
		{"A48 unknown client", bad401, start(valid.with("client_id", "unknown"))},
	} {
		t.Run(test.name, func(t *testing.T) {
			rows.check(t, test.name, test.want, test.run(t))
		})
	}
	r.NoMessage()
}
