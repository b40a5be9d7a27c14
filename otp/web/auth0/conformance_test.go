// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

const (
	jsonBody  = "application/json"
	formBody  = "application/x-www-form-urlencoded"
	plainBody = "text/plain;charset=UTF-8"

	wrongEmail = "Wrong email or verification code."
	wrongPhone = "Wrong phone number or verification code."
	expired    = "The verification code has expired. Please try to login again."
	invalid401 = "Invalid client credentials"
)

var (
	hexID     = regexp.MustCompile(`^[0-9a-f]{24}$`)
	sixDigits = regexp.MustCompile(`^[0-9]{6}$`)
)

// TestConformance looks closer at the cases that the API's contract numbers
// than [TestCases] does.
func TestConformance(t *testing.T) {
	r := newRig(t, webtest.Options{SMS: true})
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"A1 email code", func(t *testing.T) {
			email := r.newEmail()
			a := r.post(t, startPath, startEmail(regular, email))
			a.Want(http.StatusOK)
			if len(a.Fields) != 3 || !hexID.MatchString(a.text("_id")) || a.text("email") != email || a.Fields["email_verified"] != false {
				t.Error(a.Body)
			}
			m := r.In(t).Message()
			if m.To != email || !sixDigits.MatchString(m.Code) || m.Link != "" {
				t.Errorf("sent %d digits, link %q", len(m.Code), m.Link)
			}
		}},
		{"A2 sms code", func(t *testing.T) {
			phone := r.newPhone()
			a := r.post(t, startPath, startSMS(regular, phone))
			a.Want(http.StatusOK)
			if len(a.Fields) != 3 || !hexID.MatchString(a.text("_id")) || a.text("phone_number") != phone || a.Fields["phone_verified"] != false {
				t.Error(a.Body)
			}
			if m := r.In(t).Message(); m.Channel != otp.SMS || m.To != phone || !sixDigits.MatchString(m.Code) {
				t.Error("no SMS with a code")
			}
		}},
		{"A3 without send a link", func(t *testing.T) {
			r.post(t, startPath, startEmail(regular, r.newEmail()).with("send", nil)).Want(http.StatusOK)
			if m := r.In(t).Message(); m.Code != "" || !strings.HasPrefix(m.Link, webtest.Origin+testLinkPath) {
				t.Errorf("link %q", m.Link)
			}
		}},
		{"A7 no phone", func(t *testing.T) {
			r.post(t, startPath, startSMS(regular, "").with("phone_number", nil)).
				wantRefusal(t, 400, "bad.phone_number", "Missing required property: phone_number")
		}},
		{"A7 bad phone", func(t *testing.T) {
			for _, phone := range []string{"0123", "+", "+49 1512 3456789", "+4915123456789012", "+1", "+49１512", " +4915123456789"} {
				r.post(t, startPath, startSMS(regular, phone)).
					wantRefusal(t, 400, "bad.phone_number", `String does not match pattern: ^\+[0-9]{1,15}$`)
			}
		}},
		{"A9 unknown properties", func(t *testing.T) {
			r.post(t, startPath, startEmail(regular, "a@example.org").with("age", 1)).
				wantRefusal(t, 400, "bad.request", "the following properties are not allowed: age")
			r.post(t, startPath, startEmail(regular, "a@example.org").with("zoo", 1).with("Email", "x")).
				wantRefusal(t, 400, "bad.request", "the following properties are not allowed: Email, zoo")
		}},
		{"A10 confidential client unproven", func(t *testing.T) {
			f := startEmail(regular, "a@example.org")
			for _, f := range []fields{
				f.with("client_secret", nil),
				f.with("client_secret", ""),
				f.with("client_secret", "correct horsf"),
				f.with("client_secret", nil).with("client_assertion", "x.y.z").
					with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
				f.with("client_assertion", "x.y.z"),
			} {
				r.post(t, startPath, f).wantRefusal(t, 401, "invalid_client", invalid401)
			}
		}},
		{"A11 public client", func(t *testing.T) {
			for _, client := range []Client{native, spa} {
				r.emailCode(t, client, r.newEmail())
			}
			r.post(t, startPath, startEmail(native, "a@example.org").with("client_secret", "any")).
				wantRefusal(t, 401, "invalid_client", invalid401)
		}},
		{"A14 JSON as text/plain", func(t *testing.T) {
			for _, contentType := range []string{plainBody, ""} {
				r.do(t, http.MethodPost, startPath, contentType, startEmail(regular, r.newEmail()).json(t)).Want(http.StatusOK)
				r.In(t).Message()
			}
		}},
		{"A15 language", func(t *testing.T) {
			for _, test := range []struct {
				headers []string
				want    string
			}{
				{[]string{"X-Request-Language", "de", "Accept-Language", "fr"}, "de"},
				{[]string{"Accept-Language", "fr, en;q=0.5"}, "fr, en;q=0.5"},
				{[]string{"X-Request-Language", strings.Repeat("x", 100), "Accept-Language", "fr"}, "fr"},
				{nil, ""},
			} {
				r.post(t, startPath, startEmail(regular, r.newEmail()), test.headers...).Want(http.StatusOK)
				if m := r.In(t).Message(); m.Locale != test.want {
					t.Errorf("language %q, want %q", m.Locale, test.want)
				}
			}
		}},
		{"A16 A17 right code, JSON, form and text", func(t *testing.T) {
			for contentType, encode := range map[string]func(fields) string{
				jsonBody:  func(f fields) string { return f.json(t) },
				plainBody: func(f fields) string { return f.json(t) },
				formBody:  fields.form,
			} {
				email := r.newEmail()
				f := redeem(regular, "email", email, r.emailCode(t, regular, email)).with("scope", "openid email")
				a := r.do(t, http.MethodPost, tokenPath, contentType, encode(f))
				a.Want(http.StatusOK)
				expiresIn, _ := a.Fields["expires_in"].(float64)
				if !aDay(expiresIn) || a.text("token_type") != "Bearer" || a.text("scope") != "openid email" || a.text("access_token") == "" {
					t.Error(contentType, expiresIn, a.text("token_type"), a.text("scope"))
				}
			}
		}},
		{"A16 sms", func(t *testing.T) {
			phone := r.newPhone()
			code := r.smsCode(t, native, phone)
			r.post(t, tokenPath, redeem(native, "sms", phone, code)).Want(http.StatusOK)
		}},
		{"A18 tokens by scope", func(t *testing.T) {
			for scope, want := range map[string]struct {
				id, refresh bool
				granted     string
			}{
				"":                              {false, false, ""},
				"profile email":                 {false, false, "profile email"},
				"openid":                        {true, false, "openid"},
				"offline_access":                {false, true, "offline_access"},
				"openid openid admin:all phone": {true, false, "openid phone"},
			} {
				a := r.login(t, regular, scope)
				if got := a.text("id_token") != ""; got != want.id {
					t.Errorf("scope %q: id_token %t", scope, got)
				}
				if got := a.text("refresh_token") != ""; got != want.refresh {
					t.Errorf("scope %q: refresh_token %t", scope, got)
				}
				if a.Fields["scope"] != want.granted {
					t.Errorf("scope %q: granted %v", scope, a.Fields["scope"])
				}
			}
		}},
		{"A18 scope as an array", func(t *testing.T) {
			email := r.newEmail()
			f := redeem(regular, "email", email, r.emailCode(t, regular, email))
			for _, scope := range []any{5, true, fields{}, []any{"openid", 5}} {
				r.post(t, tokenPath, f.with("scope", scope)).
					wantRefusal(t, 400, "invalid_scope", "Scope must be an array or a string")
			}
			if a := r.post(t, tokenPath, f.with("scope", []string{"openid", "email"})); a.text("scope") != "openid email" {
				t.Error(a.Body)
			}
		}},
		{"A19 A20 wrong codes", func(t *testing.T) {
			email := r.newEmail()
			code := r.emailCode(t, regular, email)
			wrong := redeem(regular, "email", email, webtest.OtherCode(code))
			r.post(t, tokenPath, wrong).wantRefusal(t, 403, "invalid_grant", wrongEmail)
			r.post(t, tokenPath, wrong).wantRefusal(t, 403, "invalid_grant", wrongEmail)
			r.post(t, tokenPath, wrong).wantRefusal(t, 403, "invalid_grant", maxAttempts)
			r.post(t, tokenPath, redeem(regular, "email", email, code)).wantRefusal(t, 403, "invalid_grant", maxAttempts)
		}},
		{"A23 older code", func(t *testing.T) {
			email := r.newEmail()
			older := r.emailCode(t, regular, email)
			newer := r.emailCode(t, regular, email)
			if older == newer {
				newer = r.emailCode(t, regular, email)
			}
			r.post(t, tokenPath, redeem(regular, "email", email, older)).wantRefusal(t, 403, "invalid_grant", wrongEmail)
			r.post(t, tokenPath, redeem(regular, "email", email, newer)).Want(http.StatusOK)
		}},
		{"A24 used code", func(t *testing.T) {
			email := r.newEmail()
			f := redeem(regular, "email", email, r.emailCode(t, regular, email))
			r.post(t, tokenPath, f).Want(http.StatusOK)
			r.post(t, tokenPath, f).wantRefusal(t, 403, "invalid_grant", wrongEmail)
		}},
		{"A25 unknown and malformed usernames", func(t *testing.T) {
			for _, username := range []string{"nobody@example.org", "no address", "@", "+4915123456789"} {
				r.post(t, tokenPath, redeem(regular, "email", username, "123456")).wantRefusal(t, 403, "invalid_grant", wrongEmail)
			}
			for _, username := range []string{"+4915123456789", "x@example.org", "12"} {
				r.post(t, tokenPath, redeem(regular, "sms", username, "123456")).wantRefusal(t, 403, "invalid_grant", wrongPhone)
			}
			r.post(t, tokenPath, redeem(regular, "email", "nobody@example.org", "not a code")).wantRefusal(t, 403, "invalid_grant", wrongEmail)
		}},
		{"A26 realm of another channel", func(t *testing.T) {
			phone := r.newPhone()
			code := r.smsCode(t, regular, phone)
			r.post(t, tokenPath, redeem(regular, "email", phone, code)).wantRefusal(t, 403, "invalid_grant", wrongEmail)
			r.post(t, tokenPath, redeem(regular, "github", phone, code)).wantRefusal(t, 400, "invalid_request", "Unknown realm github.")
		}},
		{"A27 missing parameters", func(t *testing.T) {
			f := redeem(regular, "email", "a@example.org", "123456")
			for _, name := range []string{"otp", "username", "realm"} {
				r.post(t, tokenPath, f.with(name, nil)).wantRefusal(t, 400, "invalid_request", "Missing required parameter: "+name)
				r.post(t, tokenPath, f.with(name, 123456)).wantRefusal(t, 400, "invalid_request", "Parameter "+name+" must be a string")
			}
			r.post(t, tokenPath, f.with("grant_type", nil)).wantRefusal(t, 400, "invalid_request", "Missing required parameter: grant_type")
			r.post(t, tokenPath, refresh(regular, "")).wantRefusal(t, 400, "invalid_request", "Missing required parameter: refresh_token")
		}},
		{"A28 grant not enabled", func(t *testing.T) {
			email := r.newEmail()
			a := r.post(t, tokenPath, redeem(spa, "email", email, r.emailCode(t, spa, email)))
			a.wantRefusal(t, 403, "unauthorized_client", "Grant type 'http://auth0.com/oauth/grant-type/passwordless/otp' not allowed for the client.")
			if a.text("error_uri") != "https://auth0.com/docs/clients/client-grant-types" {
				t.Error(a.Body)
			}
		}},
		{"A30 code of another client", func(t *testing.T) {
			email := r.newEmail()
			code := r.emailCode(t, native, email)
			r.post(t, tokenPath, redeem(other, "email", email, code)).wantRefusal(t, 403, "invalid_grant", wrongEmail)
			r.post(t, tokenPath, redeem(native, "email", email, code)).Want(http.StatusOK)
		}},
		{"A31 id_token", func(t *testing.T) {
			email := r.newEmail()
			started := r.post(t, startPath, startEmail(regular, email))
			code := r.In(t).Message().Code
			a := r.post(t, tokenPath, redeem(regular, "email", email, code).with("scope", "openid profile email"))
			a.Want(http.StatusOK)
			claims := r.verifyToken(t, a.text("id_token"))
			for name, want := range map[string]any{
				"iss": webtest.Origin + "/", "aud": regular.ID, "sub": "email|" + started.text("_id"),
				"email": email, "email_verified": true, "name": email, "nickname": strings.TrimSuffix(email, "@example.org"),
			} {
				if claims[name] != want {
					t.Errorf("%s: %v, want %v", name, claims[name], want)
				}
			}
			if _, ok := claims["nonce"]; ok {
				t.Error("a nonce that nobody asked for")
			}
			if iat, exp := claims["iat"].(float64), claims["exp"].(float64); !aDay(exp - iat) {
				t.Errorf("lives for %v s", exp-iat)
			}
			if claims := r.verifyToken(t, a.text("access_token")); claims["sub"] != "email|"+started.text("_id") || claims["azp"] != regular.ID {
				t.Errorf("access token's sub %v, azp %v", claims["sub"], claims["azp"])
			}
		}},
		{"A31 claims by scope", func(t *testing.T) {
			claims := r.verifyToken(t, r.login(t, regular, "openid").text("id_token"))
			for _, name := range []string{"email", "email_verified", "name", "nickname", "updated_at"} {
				if _, ok := claims[name]; ok {
					t.Error(name)
				}
			}
			phone := r.newPhone()
			code := r.smsCode(t, regular, phone)
			a := r.post(t, tokenPath, redeem(regular, "sms", phone, code).with("scope", "openid phone email"))
			claims = r.verifyToken(t, a.text("id_token"))
			sub, _ := claims["sub"].(string)
			if !hexID.MatchString(strings.TrimPrefix(sub, "sms|")) || claims["phone_number"] != phone || claims["email"] != nil {
				t.Errorf("%v", claims)
			}
		}},
		{"A32 refresh", func(t *testing.T) {
			first := r.login(t, regular, "openid email offline_access")
			second := r.post(t, tokenPath, refresh(regular, first.text("refresh_token")))
			second.Want(http.StatusOK)
			if second.text("id_token") == "" || second.text("scope") != "openid email offline_access" ||
				second.text("refresh_token") == "" || second.text("refresh_token") == first.text("refresh_token") {
				t.Error(second.text("scope"))
			}
			narrowed := r.do(t, http.MethodPost, tokenPath, formBody,
				refresh(regular, second.text("refresh_token")).with("scope", "email profile phone").form())
			narrowed.Want(http.StatusOK)
			if narrowed.text("scope") != "email" || narrowed.text("id_token") != "" {
				t.Errorf("scope %q of a session without it", narrowed.text("scope"))
			}
			full := r.post(t, tokenPath, refresh(regular, narrowed.text("refresh_token")))
			if full.text("scope") != "openid email offline_access" {
				t.Error(full.Body)
			}
			r.do(t, http.MethodGet, userinfoPath, "", "", bearer(full)...).Want(http.StatusOK)
			// The first one is presented again: somebody has a copy.
			r.post(t, tokenPath, refresh(regular, first.text("refresh_token"))).wantRefusal(t, 403, "invalid_grant", "Unknown or invalid refresh token")
			r.post(t, tokenPath, refresh(regular, full.text("refresh_token"))).wantRefusal(t, 403, "invalid_grant", "Unknown or invalid refresh token")
		}},
		{"A32 unknown refresh token", func(t *testing.T) {
			real := r.login(t, regular, "offline_access").text("refresh_token")
			for _, raw := range []string{"x", strings.Replace(real, ".", "", 1), "00" + strings.Repeat("A", 43) + "." + strings.Repeat("A", 43), real + "A"} {
				r.post(t, tokenPath, refresh(regular, raw)).wantRefusal(t, 403, "invalid_grant", "Unknown or invalid refresh token")
			}
			r.post(t, tokenPath, refresh(regular, real)).Want(http.StatusOK)
		}},
		{"A32 refresh token of another client", func(t *testing.T) {
			a := r.login(t, native, "offline_access")
			r.post(t, tokenPath, refresh(other, a.text("refresh_token"))).wantRefusal(t, 403, "invalid_grant", "Unknown or invalid refresh token")
			r.post(t, tokenPath, refresh(native, a.text("refresh_token"))).wantRefusal(t, 403, "invalid_grant", "Unknown or invalid refresh token")
			r.do(t, http.MethodPost, userinfoPath, "", "", bearer(a)...).wantRefusal(t, 401, "unauthorized", "Unauthorized")
		}},
		{"A32 refresh after a sign-out everywhere", func(t *testing.T) {
			a := r.login(t, regular, "openid email offline_access")
			email, _ := r.verifyToken(t, a.text("id_token"))["email"].(string)
			address, err := otp.ParseEmail(email)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Service.SignOutEverywhere(t.Context(), otp.Subject(r.Service.Realm(), address), 30*24*time.Hour); err != nil {
				t.Fatal(err)
			}
			r.post(t, tokenPath, refresh(regular, a.text("refresh_token"))).wantRefusal(t, 403, "invalid_grant", "Unknown or invalid refresh token")
		}},
		{"A33 revoke", func(t *testing.T) {
			for _, which := range []string{"refresh_token", "access_token"} {
				a := r.login(t, regular, "openid offline_access")
				f := fields{"client_id": regular.ID, "client_secret": regular.Secret, "token": a.text(which)}
				for range 2 {
					if revoked := r.post(t, revokePath, f); revoked.Status != 200 || revoked.Body != "" {
						t.Error(which, revoked.Status, revoked.Body)
					}
				}
				r.post(t, tokenPath, refresh(regular, a.text("refresh_token"))).wantRefusal(t, 403, "invalid_grant", "Unknown or invalid refresh token")
				r.do(t, http.MethodGet, userinfoPath, "", "", bearer(a)...).wantRefusal(t, 401, "unauthorized", "Unauthorized")
			}
		}},
		{"A33 revoke refused", func(t *testing.T) {
			a := r.login(t, native, "openid")
			r.post(t, revokePath, fields{"client_id": regular.ID, "token": a.text("access_token")}).wantRefusal(t, 401, "invalid_client", invalid401)
			r.post(t, revokePath, fields{"client_id": native.ID}).wantRefusal(t, 400, "invalid_request", "Missing required parameter: token")
			r.post(t, revokePath, fields{"client_id": other.ID, "token": a.text("access_token")}).Want(http.StatusOK)
			r.do(t, http.MethodGet, userinfoPath, "", "", bearer(a)...).Want(http.StatusOK)
		}},
		{"A34 userinfo", func(t *testing.T) {
			a := r.login(t, regular, "openid profile email")
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				info := r.do(t, method, userinfoPath, "", "", bearer(a)...)
				info.Want(http.StatusOK)
				claims := r.verifyToken(t, a.text("id_token"))
				for _, name := range []string{"sub", "email", "email_verified", "name", "nickname", "updated_at"} {
					if info.Fields[name] == nil || info.Fields[name] != claims[name] {
						t.Errorf("%s: %v, in the id_token %v", name, info.Fields[name], claims[name])
					}
				}
				if _, err := time.Parse(time.RFC3339, info.text("updated_at")); err != nil {
					t.Error(err)
				}
			}
			if info := r.do(t, http.MethodGet, userinfoPath, "", "", bearer(r.login(t, regular, "email"))...); info.Status != 200 || len(info.Fields) != 0 {
				t.Error(info.Body)
			}
		}},
		{"A46 send", func(t *testing.T) {
			null := strings.Replace(startEmail(regular, r.newEmail()).json(t), `"code"`, "null", 1)
			r.do(t, http.MethodPost, startPath, jsonBody, null).Want(http.StatusOK)
			if m := r.In(t).Message(); m.Link == "" || m.Code != "" {
				t.Error("null isn't a link")
			}
			r.post(t, startPath, startEmail(regular, "a@example.org").with("send", "foo")).
				wantRefusal(t, 400, "bad.send", "error in send - invalid value (expected link or code)")
			r.post(t, startPath, startSMS(regular, r.newPhone()).with("send", "link")).Want(http.StatusOK)
			if m := r.In(t).Message(); m.Link != "" || m.Code == "" {
				t.Error("a link by SMS")
			}
		}},
		{"A48 unknown client", func(t *testing.T) {
			unknown := r.post(t, startPath, startEmail(regular, "a@example.org").with("client_id", "unknown"))
			unknown.wantRefusal(t, 401, "invalid_client", invalid401)
			if wrong := r.post(t, startPath, startEmail(regular, "a@example.org").with("client_secret", "x")); wrong.Body != unknown.Body {
				t.Error(wrong.Body)
			}
		}},
	} {
		t.Run(test.name, test.run)
	}
}

// verifyToken checks a JWT against the published keys, as a client does.
func (r *rig) verifyToken(t *testing.T, raw string) map[string]any {
	t.Helper()
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(r.do(t, http.MethodGet, jwksPath, "", "").Body), &keys); err != nil {
		t.Fatal(err)
	}
	matching := keys.Key(signed.Signatures[0].Header.KeyID)
	if len(matching) != 1 {
		t.Fatalf("%d keys for the token", len(matching))
	}
	payload, err := signed.Verify(matching[0])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestDisabledConnection(t *testing.T) { // A6
	r := newRig(t, webtest.Options{})
	r.post(t, startPath, startSMS(regular, r.newPhone())).wantRefusal(t, 400, "bad.connection", "Connection is disabled")
}

func TestForeignCountry(t *testing.T) {
	r := newRig(t, webtest.Options{SMS: true})
	a := r.post(t, startPath, startSMS(regular, "+33612345678"))
	a.Want(http.StatusOK)
	if a.text("phone_number") != "+33612345678" {
		t.Error(a.Body)
	}
	home := r.newPhone()
	r.smsCode(t, regular, home)
	r.NoMessage()
}

func TestKeysBeforeAnyLogin(t *testing.T) { // A35
	r := newRig(t, webtest.Options{NoKey: true})
	a := r.do(t, http.MethodGet, jwksPath, "", "")
	a.Want(http.StatusOK)
	var keys struct {
		Keys []struct{ Kty, Use, Alg, Kid, N, E string }
	}
	if err := json.Unmarshal([]byte(a.Body), &keys); err != nil {
		t.Fatal(err)
	}
	if len(keys.Keys) != 1 {
		t.Fatal(a.Body)
	}
	if k := keys.Keys[0]; k.Kty != "RSA" || k.Use != "sig" || k.Alg != "RS256" || k.Kid == "" || k.N == "" || k.E == "" {
		t.Error(a.Body)
	}
	if strings.Contains(a.Body, `"d":`) {
		t.Error("the private key is published")
	}
}

func TestRefreshOutlivesAccess(t *testing.T) {
	r := newRig(t, webtest.Options{SMS: true})
	const day = 24 * time.Hour
	a := r.login(t, native, "offline_access")
	r.Advance(29 * day)
	a = r.post(t, tokenPath, refresh(native, a.text("refresh_token")))
	a.Want(http.StatusOK)
	r.Advance(2 * day) // renewing prolongs nothing
	r.post(t, tokenPath, refresh(native, a.text("refresh_token"))).
		wantRefusal(t, 403, "invalid_grant", "Unknown or invalid refresh token")
}

func TestCoolDown(t *testing.T) {
	r := newRig(t, webtest.Options{SMS: true})
	email := r.newEmail()
	var code string
	for failures := range otp.CoolDownFailures {
		if failures%3 == 0 { // the last code has one wrong guess only
			r.Advance(time.Hour)
			code = r.emailCode(t, regular, email)
		}
		r.post(t, tokenPath, redeem(regular, "email", email, webtest.OtherCode(code)))
	}
	verified := r.post(t, tokenPath, redeem(regular, "email", email, code))
	verified.wantRefusal(t, 403, "invalid_grant", maxAttempts)
	started := r.post(t, startPath, startEmail(regular, email))
	started.wantRefusal(t, 403, "too_many_attempts", maxAttempts)
	for _, a := range []answer{verified, started} {
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	r.post(t, startPath, startEmail(regular, email).with("send", "link")).Want(http.StatusOK)
}

// TestNothingIsTold has an address that is known, one that isn't and one that
// may not sign in: they are the same one, each on a site of its own.
func TestNothingIsTold(t *testing.T) {
	const email = "alice@example.org"
	known, unknown := newRig(t, webtest.Options{Frozen: true}), newRig(t, webtest.Options{Frozen: true})
	denied := newRig(t, webtest.Options{Frozen: true, Deny: []string{"*@example.org"}})
	known.post(t, tokenPath, redeem(regular, "email", email, known.emailCode(t, regular, email))).Want(http.StatusOK)
	known.Advance(time.Hour)

	observe := func(r *rig) []string {
		start := r.post(t, startPath, startEmail(regular, email))
		start.Want(http.StatusOK)
		seen := []answer{start}
		for range 4 {
			seen = append(seen, r.post(t, tokenPath, redeem(regular, "email", email, "guess")))
		}
		for range 3 {
			seen = append(seen, r.post(t, startPath, startEmail(regular, email)))
		}
		var texts []string
		for _, a := range seen {
			for _, moving := range []string{"Date", "X-Ratelimit-Reset"} {
				a.Header.Del(moving)
			}
			var header strings.Builder
			if err := a.Header.Write(&header); err != nil {
				t.Fatal(err)
			}
			texts = append(texts, strconv.Itoa(a.Status)+"\n"+header.String()+a.Body)
		}
		return texts
	}
	want := observe(unknown)
	for name, r := range map[string]*rig{"known": known, "denied": denied} {
		for i, got := range observe(r) {
			if got != want[i] {
				t.Errorf("%s, answer %d:\n%s\nwant:\n%s", name, i, got, want[i])
			}
		}
	}
	denied.NoMessage()
}
