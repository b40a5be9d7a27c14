// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/http"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestDisabled has the endpoints that this version refuses, and those of
// their requests that are the app's unless the API is exclusive.
func TestDisabled(t *testing.T) {
	shared := newRig(t, webtest.Options{})
	exclusive := newRig(t, webtest.Options{}, func(c *Config) { c.Exclusive = true })
	const get, post = http.MethodGet, http.MethodPost
	for _, test := range []struct {
		name, method, path, contentType, body string
		ours                                  bool
	}{
		{"verify", post, verifyPath, jsonBody, `{"connection":"email","verification_code":"123456"}`, true},
		{"foreign verify", post, verifyPath, jsonBody, `{"client_id":"theirs"}`, true},
		{"verify by form", post, verifyPath, formBody, "client_id=theirs", true},
		{"malformed verify", post, verifyPath, jsonBody, `{"client_id`, true},
		{"verify_redirect", get, verifyRedirectPath + "?verification_code=123456", "", "", true},
		{"verify_redirect by HEAD", http.MethodHead, verifyRedirectPath, "", "", true},
		{"our co/authenticate", post, crossOriginPath, jsonBody, `{"client_id":"web","otp":"123456"}`, true},
		{"our co/authenticate by form", post, crossOriginPath, formBody, "client_id=web&otp=123456", true},
		{"co/authenticate, ours by the query", post, crossOriginPath + "?client_id=web", jsonBody, `{}`, true},
		{"foreign co/authenticate", post, crossOriginPath, jsonBody, `{"client_id":"theirs","otp":"123456"}`, false},
		{"co/authenticate of nobody", post, crossOriginPath, jsonBody, `{}`, false},
		{"our authorize", get, authorizePath + "?response_type=code&client_id=web", "", "", true},
		{"authorize of two clients", get, authorizePath + "?client_id=theirs&client_id=web", "", "", true},
		{"foreign authorize", get, authorizePath + "?client_id=theirs", "", "", false},
		{"authorize of nobody", get, authorizePath, "", "", false},
		{"our logout", get, logoutPath + "?client_id=web&returnTo=https%3A%2F%2Fevil.example", "", "", true},
		{"foreign logout", get, logoutPath + "?client_id=theirs", "", "", false},
		{"logout of nobody", get, logoutPath, "", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			const description = "This endpoint isn't available in this version."
			a := shared.do(t, test.method, test.path, test.contentType, test.body)
			a.WantOurs(test.ours, test.body)
			if test.ours {
				a.wantRefusal(t, 404, "endpoint_disabled", description)
			}
			exclusive.do(t, test.method, test.path, test.contentType, test.body).wantRefusal(t, 404, "endpoint_disabled", description)
		})
	}
}
