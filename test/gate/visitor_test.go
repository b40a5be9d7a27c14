// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// visitor is somebody with a browser.
type visitor struct {
	*http.Client
	rig *site.Rig
}

// signInByPage signs in by a code of the login page.
func signInByPage(r *site.Rig, address string) visitor {
	r.T.Helper()
	v := visitor{Client: site.Browser(r.T), rig: r}
	site.ExpectRedirect(r.T, site.Form(r, v.Client, "/.otp/login", url.Values{"address": {address}, "return_to": {"/home"}}), "/.otp/verify")
	site.ExpectRedirect(r.T, site.Form(r, v.Client, "/.otp/verify", url.Values{"code": {r.Message(address, 1).Code}}), "/home")
	return v
}

// cookies are the headers that the visitor sends.
func (v visitor) cookies(t *testing.T) string {
	t.Helper()
	address, err := url.Parse(v.rig.URL)
	if err != nil {
		t.Fatal(err)
	}
	var headers strings.Builder
	for _, cookie := range v.Jar.Cookies(address) {
		headers.WriteString("Cookie: " + cookie.Name + "=" + cookie.Value + "\n")
	}
	if headers.Len() == 0 {
		t.Fatal("no session")
	}
	return headers.String()
}

// elevate follows a path that needs a second factor, which goes to the
// session's own address.
func (v visitor) elevate(address, path string) {
	r := v.rig
	r.T.Helper()
	page := "/.otp/mfa?return_to=" + url.QueryEscape(path)
	site.ExpectRedirect(r.T, site.Do(r.T, v.Client, http.MethodGet, r.URL+path, "", "Accept", "text/html"), page)
	site.ExpectRedirect(r.T, site.Form(r, v.Client, "/.otp/mfa", url.Values{"to": {"0"}, "return_to": {path}}), "/.otp/mfa")
	m := r.Message(address, 2)
	if m.Subject != "Your confirmation code for "+strings.TrimPrefix(r.URL, "http://") || m.Link != "" {
		r.T.Fatalf("the mail is %+v", m)
	}
	site.ExpectRedirect(r.T, site.Form(r, v.Client, "/.otp/mfa", url.Values{"code": {m.Code}}), path)
}
