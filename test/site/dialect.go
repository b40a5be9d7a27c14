// SPDX-License-Identifier: Apache-2.0

package site

import (
	"net/http"
	"testing"
)

// Dialect is how one API's clients start and verify.
type Dialect struct {
	Name   string
	Start  func(r *Rig, address string) Answer
	Verify func(r *Rig, address, code string) Answer
	// Token is the key of the access token in a success.
	Token string
	// Wrong, Exhausted and Throttled are the documented answers.
	Wrong, Exhausted, Throttled Refusal
}

// Refusal is a status and a word of the body that clients go by.
type Refusal struct {
	Status int
	Key    string
	Value  any
}

// Refused is a refusal.
func Refused(status int, key string, value any) Refusal { return Refusal{status, key, value} }

// Dialects are nestauth, autional and auth0, in this order.
var Dialects = []Dialect{
	{
		Name: "nestauth",
		Start: func(r *Rig, address string) Answer {
			return r.Post("/auth/passwordless/send", Object{"identifier": address, "channel": "email"})
		},
		Verify: func(r *Rig, address, code string) Answer {
			return r.Post("/auth/login", Object{
				"providerName": "passwordless",
				"credentials":  Object{"identifier": address, "code": code, "channels": []string{"email"}},
			})
		},
		Token:     "accessToken",
		Wrong:     Refusal{400, "code", "VERIFICATION_CODE_INVALID"},
		Exhausted: Refusal{400, "code", "VERIFICATION_CODE_INVALID"},
		Throttled: Refusal{429, "code", "RATE_LIMITED"},
	},
	{
		Name: "autional",
		Start: func(r *Rig, address string) Answer {
			return r.Post("/auth/send-login-code", Object{"email": address})
		},
		Verify: func(r *Rig, address, code string) Answer {
			return r.Post("/auth/login/email-code", Object{"email": address, "code": code})
		},
		Token:     "access_token",
		Wrong:     Refusal{400, "code", 30101003.0},
		Exhausted: Refusal{400, "code", 30101005.0},
		Throttled: Refusal{429, "code", 30101002.0},
	},
	{
		Name: "auth0",
		Start: func(r *Rig, address string) Answer {
			return r.Post("/passwordless/start", Object{
				"client_id": ClientID, "client_secret": ClientSecret,
				"connection": "email", "email": address, "send": "code",
			})
		},
		Verify: func(r *Rig, address, code string) Answer {
			return r.Post("/oauth/token", Object{
				"grant_type": "http://auth0.com/oauth/grant-type/passwordless/otp",
				"client_id":  ClientID, "client_secret": ClientSecret,
				"username": address, "otp": code, "realm": "email", "scope": "openid email",
			})
		},
		Token:     "access_token",
		Wrong:     Refusal{403, "error_description", "Wrong email or verification code."},
		Exhausted: Refusal{403, "error_description", "You've reached the maximum number of attempts. Please try to login again."},
		Throttled: Refusal{429, "error", "too_many_requests"},
	},
}

// Login starts, reads the nth message's code and verifies.
func (d Dialect) Login(r *Rig, address string, nth int) Answer {
	r.T.Helper()
	if a := d.Start(r, address); a.Status != http.StatusOK {
		r.T.Fatalf("%s start: %d %s", d.Name, a.Status, a.Body)
	}
	a := d.Verify(r, address, r.Message(address, nth).Code)
	if a.Status != http.StatusOK || a.Text(r.T, d.Token) == "" {
		r.T.Fatalf("%s verify: %d %s", d.Name, a.Status, a.Body)
	}
	return a
}

// Expect compares an answer with a documented refusal.
func (a Answer) Expect(t *testing.T, what string, want Refusal) {
	t.Helper()
	if a.Status != want.Status || a.JSON(t)[want.Key] != want.Value {
		t.Errorf("%s: got %d %s, want %d with %s = %v", what, a.Status, a.Body, want.Status, want.Key, want.Value)
	}
	if want.Status == http.StatusTooManyRequests && a.Header.Get("Retry-After") == "" {
		t.Errorf("%s: 429 without Retry-After", what)
	}
}

// OtherCode is another code of six digits.
func OtherCode(code string) string {
	last := code[len(code)-1]
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}
