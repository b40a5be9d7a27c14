// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
)

// TestForwardAuth has a second site, which has no otp of its own and asks the
// first one who makes a request.
func TestForwardAuth(t *testing.T) {
	skipShort(t)
	const forged = "admin@forged.example"
	app := newUpstream(t)
	port := caddyserver.FreePort(t)
	r := &rig{t: t, app: app, global: globalBlock("store bolt otp.db"), url: fmt.Sprintf("http://login.localhost:%d", port)}
	other := fmt.Sprintf("http://other.localhost:%d", port)
	r.sites = siteBlock(r.url, apis+roomy+"\n\t\tpublic /open\n\t\tprotect\n\t\tassertion X-Assertion", "reverse_proxy "+app.addr) + fmt.Sprintf(`
%s {
	forward_auth 127.0.0.1:%d {
		uri /.otp/session
		header_up Host login.localhost:%d
		copy_headers Remote-User Remote-Email Remote-Phone Remote-Groups Remote-Subject X-Assertion
	}
	reverse_proxy %s
}
`, other, port, port, app.addr)
	r.caddy = caddyserver.Start(t, r.global, r.sites)
	token := dialects[0].login(r, "asks@example.com", 1).text(t, "accessToken")

	forgedHeaders := []string{"Remote-User", forged, "Remote-Groups", forged, "X-Assertion", forged, "X-Forwarded-Uri", "/open", "X-Original-URL", "/open"}
	a := do(t, browser(t), http.MethodGet, other+"/page", "", append(forgedHeaders, "Authorization", "Bearer "+token)...)
	if a.status != http.StatusOK || !strings.Contains(a.body, "GET /page ") || !strings.Contains(a.body, "Remote-User: asks@example.com\r\n") ||
		!strings.Contains(a.body, "Remote-Email: asks@example.com\r\n") || strings.Count(a.body, "X-Assertion: ey") != 1 || strings.Contains(a.body, forged) {
		t.Errorf("signed in: %d %s", a.status, a.body)
	}
	for _, headers := range [][]string{forgedHeaders, {"Authorization", "Bearer x"}, {"X-Forwarded-Method", "OPTIONS"}} {
		a = do(t, browser(t), http.MethodGet, other+"/open", "", headers...)
		if a.status != http.StatusUnauthorized || strings.Contains(a.body, "GET /open") || !strings.Contains(a.body, r.url+"/.otp/login") {
			t.Errorf("nobody, with %q: %d %s", headers, a.status, a.body)
		}
	}
	if a := r.get("/.otp/jwks.json"); a.status != http.StatusOK || !strings.Contains(a.body, `"kty":"RSA"`) {
		t.Errorf("keys: %d %s", a.status, a.body)
	}
}
