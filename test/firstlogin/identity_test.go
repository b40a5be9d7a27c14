// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestForgedIdentity sends identity headers in every spelling that a server
// may fold to the real ones, to a Caddy that lets odd names through.
func TestForgedIdentity(t *testing.T) {
	site.SkipShort(t)
	for _, tc := range []struct{ name, options, header, underscores string }{
		{"default", "", "Remote-User", "Remote_User Remote_Email"},
		{"own names", "\n\t\theader X-Webauth-User user\n\t\theader X_Webauth_Phone phone", "X-Webauth-User", "Remote_User Remote_Email X_Webauth_User X_Webauth_Phone"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := site.New(t, "store bolt otp.db\n\t}\n\tservers {\n\t\texpected_underscore_headers "+tc.underscores, site.APIs+site.Roomy+"\n\t\tprotect /private"+tc.options)
			testForgedIdentity(t, r, tc.header)
		})
	}
}

// testForgedIdentity sends them to a site that says in a header who is signed
// in.
func testForgedIdentity(t *testing.T, r *site.Rig, header string) {
	const forged = "admin@forged.example"
	token := site.Dialects[0].Login(r, "forge@example.com", 1).Text(t, "accessToken")
	spellings := []string{
		header, strings.ToLower(header), strings.ToUpper(header), strings.ReplaceAll(header, "-", "_"), strings.ReplaceAll(header, "-", "."),
		"Remote-User", "remote-user", "REMOTE-USER", "Remote_User", "REMOTE_USER", "Remote.User", "remote_user",
		"Remote-Email", "Remote_Email", "Remote-Phone", "Remote-Groups", "Remote-Subject", "remote-subject",
	}
	if header != "Remote-User" {
		spellings = append(spellings, "X-Webauth-Phone", "X_Webauth_Phone", "x_webauth_phone")
	}
	for _, authorization := range []string{"", "Authorization: Bearer " + token + "\n"} {
		for _, spelling := range spellings {
			for _, head := range []string{
				spelling + ": " + forged + "\n",
				spelling + ": " + forged + "\n" + spelling + ": " + forged + "\n",
				spelling + ": " + forged + "\nConnection: " + spelling + "\n",
				"Connection: close, " + spelling + "\n",
			} {
				answer := r.Raw("GET /page HTTP/1.1\nHost: HOST\n" + authorization + head + "Connection: close\n\n")
				if strings.Contains(answer, forged) || !strings.Contains(answer, "X-App: yes") {
					t.Errorf("with %q:\n%s", head, answer)
				}
				if authorization != "" && !strings.Contains(answer, header+": forge@example.com") {
					t.Errorf("the app isn't told who it is, with %q:\n%s", head, answer)
				}
			}
			trailer := fmt.Sprintf("POST /page HTTP/1.1\nHost: HOST\n%sConnection: close\nTrailer: %s\nTransfer-Encoding: chunked\n\n2\nhi\n0\n%s: %s\n\n", authorization, spelling, spelling, forged)
			if answer := r.Raw(trailer); strings.Contains(answer, forged) {
				t.Errorf("as a trailer %s:\n%s", spelling, answer)
			}
		}
	}
	if answer := r.Raw("GET /private HTTP/1.1\nHost: HOST\nRemote-User: " + forged + "\nConnection: close\n\n"); strings.Contains(answer, "X-App: yes") {
		t.Errorf("a forged header opens a protected page:\n%s", answer)
	}
}

// TestOtherSite uses what one site gave out on another site of the same Caddy,
// with the same secret.
func TestOtherSite(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		app := site.NewUpstream(t)
		r := &site.Rig{T: t, App: app, Global: site.GlobalBlock(store)}
		port := freeport.Take(t)
		r.URL = fmt.Sprintf("http://open.localhost:%d", port)
		gated := fmt.Sprintf("http://gated.localhost:%d", port)
		options := site.APIs + site.Roomy + "\n\t\tprotect"
		r.Sites = site.SiteBlock(r.URL, options, "reverse_proxy "+app.Addr) + site.SiteBlock(gated, options, "reverse_proxy "+app.Addr)
		r.Caddy = caddyserver.Start(t, r.Global, r.Sites)

		var headers [][]string
		for _, d := range site.Dialects {
			headers = append(headers, []string{"Authorization", "Bearer " + d.Login(r, d.Name+"@example.com", 1).Text(t, d.Token)})
		}
		visitor := site.Browser(t)
		site.Enter(r, visitor, "page@example.com")
		site.ExpectRedirect(t, site.Form(r, visitor, "/.otp/verify", url.Values{"code": {r.Message("page@example.com", 1).Code}}), "/deep/page?x=1")
		address, _ := url.Parse(r.URL)
		for _, cookie := range visitor.Jar.Cookies(address) {
			headers = append(headers, []string{"Cookie", cookie.Name + "=" + cookie.Value})
		}
		for _, header := range headers {
			if a := r.Get("/", header...); a.Status != http.StatusOK {
				t.Errorf("own site: %d with %s", a.Status, header[0])
			}
			if a := site.Do(t, site.Browser(t), http.MethodGet, gated+"/", "", header...); a.Status != http.StatusUnauthorized {
				t.Errorf("another site takes %s: %d %s", header[0], a.Status, a.Body)
			}
		}
		site.Dialects[0].Start(r, "code@example.com")
		elsewhere := &site.Rig{T: t, URL: gated}
		site.Dialects[0].Verify(elsewhere, "code@example.com", r.Message("code@example.com", 1).Code).Expect(t, "another site's code", site.Dialects[0].Wrong)
	})
}

// TestSpoofableProxies: behind a proxy, whoever configures Caddy so that
// clients can choose their own address is told, once.
func TestSpoofableProxies(t *testing.T) {
	site.SkipShort(t)
	const warning = "add trusted_proxies_strict"
	for lines, warnings := range map[string]int{
		"":                                       0,
		"trusted_proxies static 127.0.0.1/8 ::1": 1,
		"trusted_proxies static 127.0.0.1/8 ::1\n\t\ttrusted_proxies_strict": 0,
	} {
		r := site.New(t, "store bolt otp.db\n\t}\n\tservers {\n\t\t"+lines, site.Roomy)
		for range 3 {
			r.Get("/page", "X-Forwarded-For", "192.0.2.1")
		}
		r.Caddy.Stop()
		if n := strings.Count(r.Caddy.Log(), warning); n != warnings {
			t.Errorf("with %q there are %d warnings, not %d", lines, n, warnings)
		}
	}
}
