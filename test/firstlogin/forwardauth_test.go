// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestForwardAuth has a second site, which has no otp of its own and asks the
// first one who makes a request.
func TestForwardAuth(t *testing.T) {
	site.SkipShort(t)
	const forged = "admin@forged.example"
	app := site.NewUpstream(t)
	port := freeport.Take(t)
	r := &site.Rig{T: t, App: app, Global: site.GlobalBlock("store bolt otp.db"), URL: fmt.Sprintf("http://login.localhost:%d", port)}
	other := fmt.Sprintf("http://other.localhost:%d", port)
	redirecting := fmt.Sprintf("http://redirecting.localhost:%d", port)
	r.Sites = site.SiteBlock(r.URL, site.APIs+site.Roomy+"\n\t\tpublic /open\n\t\tprotect\n\t\tassertion X-Assertion", "reverse_proxy "+app.Addr)
	for address, refusal := range map[string]string{other: "", redirecting: "@nobody status 401\n\t\thandle_response @nobody {\n\t\t\tredir " + r.URL + "/.otp/login\n\t\t}"} {
		r.Sites += fmt.Sprintf(`
%s {
	forward_auth 127.0.0.1:%d {
		uri /.otp/session
		header_up Host login.localhost:%d
		copy_headers Remote-User Remote-Email Remote-Phone Remote-Groups Remote-Subject X-Assertion
		%s
	}
	reverse_proxy %s
}
`, address, port, port, refusal, app.Addr)
	}
	r.Caddy = caddyserver.Start(t, r.Global, r.Sites)
	token := site.Dialects[0].Login(r, "asks@example.com", 1).Text(t, "accessToken")

	forgedHeaders := []string{"Remote-User", forged, "Remote-Groups", forged, "X-Assertion", forged, "X-Forwarded-Uri", "/open", "X-Original-URL", "/open"}
	a := site.Do(t, site.Browser(t), http.MethodGet, other+"/page", "", append(forgedHeaders, "Authorization", "Bearer "+token)...)
	if a.Status != http.StatusOK || !strings.Contains(a.Body, "GET /page ") || !strings.Contains(a.Body, "Remote-User: asks@example.com\r\n") ||
		!strings.Contains(a.Body, "Remote-Email: asks@example.com\r\n") || strings.Count(a.Body, "X-Assertion: ey") != 1 || strings.Contains(a.Body, forged) {
		t.Errorf("signed in: %d %s", a.Status, a.Body)
	}
	for _, headers := range [][]string{forgedHeaders, {"Authorization", "Bearer x"}, {"X-Forwarded-Method", "OPTIONS"}} {
		a = site.Do(t, site.Browser(t), http.MethodGet, other+"/open", "", headers...)
		if a.Status != http.StatusUnauthorized || strings.Contains(a.Body, "GET /open") || !strings.Contains(a.Body, r.URL+"/.otp/login") {
			t.Errorf("nobody, with %q: %d %s", headers, a.Status, a.Body)
		}
	}
	if a := site.Do(t, site.Browser(t), http.MethodGet, redirecting+"/page", ""); a.Status != http.StatusFound || a.Header.Get("Location") != r.URL+"/.otp/login" {
		t.Errorf("nobody, at a site that leads to the login: %d %v", a.Status, a.Header)
	}
	if a := site.Do(t, site.Browser(t), http.MethodGet, redirecting+"/page", "", "Authorization", "Bearer "+token); !strings.Contains(a.Body, "Remote-User: asks@example.com\r\n") {
		t.Errorf("signed in, at a site that leads to the login: %d %s", a.Status, a.Body)
	}
	if a := r.Get("/.otp/jwks.json"); a.Status != http.StatusOK || !strings.Contains(a.Body, `"kty":"RSA"`) {
		t.Errorf("keys: %d %s", a.Status, a.Body)
	}
}
