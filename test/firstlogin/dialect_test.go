// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"net/http"
	"testing"
)

// dialect is how one API's clients start and verify.
type dialect struct {
	name   string
	start  func(r *rig, address string) answer
	verify func(r *rig, address, code string) answer
	// token is the key of the access token in a success.
	token string
	// wrong, exhausted and throttled are the documented answers.
	wrong, exhausted, throttled refusal
}

// refusal is a status and a word of the body that clients go by.
type refusal struct {
	status int
	key    string
	value  any
}

var dialects = []dialect{
	{
		name: "nestauth",
		start: func(r *rig, address string) answer {
			return r.post("/auth/passwordless/send", object{"identifier": address, "channel": "email"})
		},
		verify: func(r *rig, address, code string) answer {
			return r.post("/auth/login", object{
				"providerName": "passwordless",
				"credentials":  object{"identifier": address, "code": code, "channels": []string{"email"}},
			})
		},
		token:     "accessToken",
		wrong:     refusal{400, "code", "VERIFICATION_CODE_INVALID"},
		exhausted: refusal{400, "code", "VERIFICATION_CODE_INVALID"},
		throttled: refusal{429, "code", "RATE_LIMITED"},
	},
	{
		name: "autional",
		start: func(r *rig, address string) answer {
			return r.post("/auth/send-login-code", object{"email": address})
		},
		verify: func(r *rig, address, code string) answer {
			return r.post("/auth/login/email-code", object{"email": address, "code": code})
		},
		token:     "access_token",
		wrong:     refusal{400, "code", 30101003.0},
		exhausted: refusal{400, "code", 30101005.0},
		throttled: refusal{429, "code", 30101002.0},
	},
	{
		name: "auth0",
		start: func(r *rig, address string) answer {
			return r.post("/passwordless/start", object{
				"client_id": clientID, "client_secret": clientSecret,
				"connection": "email", "email": address, "send": "code",
			})
		},
		verify: func(r *rig, address, code string) answer {
			return r.post("/oauth/token", object{
				"grant_type": "http://auth0.com/oauth/grant-type/passwordless/otp",
				"client_id":  clientID, "client_secret": clientSecret,
				"username": address, "otp": code, "realm": "email", "scope": "openid email",
			})
		},
		token:     "access_token",
		wrong:     refusal{403, "error_description", "Wrong email or verification code."},
		exhausted: refusal{403, "error_description", "You've reached the maximum number of attempts. Please try to login again."},
		throttled: refusal{429, "error", "too_many_requests"},
	},
}

// login starts, reads the nth message's code and verifies.
func (d dialect) login(r *rig, address string, nth int) answer {
	r.t.Helper()
	if a := d.start(r, address); a.status != http.StatusOK {
		r.t.Fatalf("%s start: %d %s", d.name, a.status, a.body)
	}
	a := d.verify(r, address, r.message(address, nth).Code)
	if a.status != http.StatusOK || a.text(r.t, d.token) == "" {
		r.t.Fatalf("%s verify: %d %s", d.name, a.status, a.body)
	}
	return a
}

// expect compares an answer with a documented refusal.
func (a answer) expect(t *testing.T, what string, want refusal) {
	t.Helper()
	if a.status != want.status || a.json(t)[want.key] != want.value {
		t.Errorf("%s: got %d %s, want %d with %s = %v", what, a.status, a.body, want.status, want.key, want.value)
	}
	if want.status == http.StatusTooManyRequests && a.header.Get("Retry-After") == "" {
		t.Errorf("%s: 429 without Retry-After", what)
	}
}

// other is another code of six digits.
func other(code string) string {
	last := code[len(code)-1]
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}
