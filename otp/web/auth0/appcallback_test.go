// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/url"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestAppCallback has requests of an app, whose scheme another one may have
// claimed and no page can post to: it gets a code, and is told so of the rest.
func TestAppCallback(t *testing.T) {
	r := newRig(t, webtest.Options{})
	v := r.signedInVisitor(t, r.newEmail())
	request := codeRequest(native)
	for _, test := range []struct {
		name      string
		request   url.Values
		separator string
		want      string
	}{
		{"code", request, "?", ""},
		{"code in the fragment", with(request, "response_mode", "fragment"), "#", ""},
		{"token", with(request, "response_type", "token"), "#", "unsupported_response_type"},
		{"id_token", with(request, "response_type", "id_token"), "#", "unsupported_response_type"},
		{"code and token", with(request, "response_type", "code token"), "#", "unsupported_response_type"},
		{"form_post", with(request, "response_mode", "form_post"), "?", "invalid_request"},
		{"web_message", with(request, "response_mode", "web_message"), "?", "invalid_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			values := v.get(authorizeURL(test.request)).answered(t, native.Callbacks[0], test.separator)
			if values.Get("error") != test.want || values.Has("code") != (test.want == "") || values.Has("access_token") || values.Has("id_token") {
				t.Errorf("the app gets %v", values)
			}
		})
	}
}

// TestCodeOfAnotherSite redeems a code at another site of the realm, where a
// client has the same name.
func TestCodeOfAnotherSite(t *testing.T) {
	r := newRig(t, webtest.Options{})
	beside := newRig(t, webtest.Options{Beside: r.Site, Origin: "https://beside.example.com"})
	v := r.signedInVisitor(t, r.newEmail())
	code := v.code(codeRequest(pkceSPA))
	beside.post(t, tokenPath, codeGrant(pkceSPA, code)).wantRefusal(t, 403, "invalid_grant", errBadCode.Description)
	r.post(t, tokenPath, codeGrant(pkceSPA, code)).Want(200)
}
