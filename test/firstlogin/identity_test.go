// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
)

// raw sends bytes to the site and returns all that comes back.
func (r *rig) raw(request string) string {
	r.t.Helper()
	site, err := url.Parse(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", site.Host, 5*time.Second)
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	request = strings.ReplaceAll(request, "HOST", site.Host)
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		r.t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(answer)
}

// TestForgedIdentity sends identity headers in every spelling that a server
// may fold to the real ones, to a Caddy that lets odd names through.
func TestForgedIdentity(t *testing.T) {
	skipShort(t)
	for _, tc := range []struct{ name, options, header, underscores string }{
		{"default", "", "Remote-User", "Remote_User Remote_Email"},
		{"own names", "\n\t\theader X-Webauth-User user\n\t\theader X_Webauth_Phone phone", "X-Webauth-User", "Remote_User Remote_Email X_Webauth_User X_Webauth_Phone"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, "store bolt otp.db\n\t}\n\tservers {\n\t\texpected_underscore_headers "+tc.underscores, apis+roomy+"\n\t\tprotect /private"+tc.options)
			testForgedIdentity(t, r, tc.header)
		})
	}
}

// testForgedIdentity sends them to a site that says in a header who is signed
// in.
func testForgedIdentity(t *testing.T, r *rig, header string) {
	const forged = "admin@forged.example"
	token := dialects[0].login(r, "forge@example.com", 1).text(t, "accessToken")
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
				answer := r.raw("GET /page HTTP/1.1\nHost: HOST\n" + authorization + head + "Connection: close\n\n")
				if strings.Contains(answer, forged) || !strings.Contains(answer, "X-App: yes") {
					t.Errorf("with %q:\n%s", head, answer)
				}
				if authorization != "" && !strings.Contains(answer, header+": forge@example.com") {
					t.Errorf("the app isn't told who it is, with %q:\n%s", head, answer)
				}
			}
			trailer := fmt.Sprintf("POST /page HTTP/1.1\nHost: HOST\n%sConnection: close\nTrailer: %s\nTransfer-Encoding: chunked\n\n2\nhi\n0\n%s: %s\n\n", authorization, spelling, spelling, forged)
			if answer := r.raw(trailer); strings.Contains(answer, forged) {
				t.Errorf("as a trailer %s:\n%s", spelling, answer)
			}
		}
	}
	if answer := r.raw("GET /private HTTP/1.1\nHost: HOST\nRemote-User: " + forged + "\nConnection: close\n\n"); strings.Contains(answer, "X-App: yes") {
		t.Errorf("a forged header opens a protected page:\n%s", answer)
	}
}

// TestOtherSite uses what one site gave out on another site of the same Caddy,
// with the same secret.
func TestOtherSite(t *testing.T) {
	onEachStore(t, func(t *testing.T, store string) {
		app := newUpstream(t)
		r := &rig{t: t, app: app, global: globalBlock(store)}
		port := caddyserver.FreePort(t)
		r.url = fmt.Sprintf("http://open.localhost:%d", port)
		gated := fmt.Sprintf("http://gated.localhost:%d", port)
		options := apis + roomy + "\n\t\tprotect"
		r.sites = siteBlock(r.url, options, "reverse_proxy "+app.addr) + siteBlock(gated, options, "reverse_proxy "+app.addr)
		r.caddy = caddyserver.Start(t, r.global, r.sites)

		var headers [][]string
		for _, d := range dialects {
			headers = append(headers, []string{"Authorization", "Bearer " + d.login(r, d.name+"@example.com", 1).text(t, d.token)})
		}
		visitor := browser(t)
		enter(r, visitor, "page@example.com")
		expectRedirect(t, form(r, visitor, "/.otp/verify", url.Values{"code": {r.message("page@example.com", 1).Code}}), "/deep/page?x=1")
		site, _ := url.Parse(r.url)
		for _, cookie := range visitor.Jar.Cookies(site) {
			headers = append(headers, []string{"Cookie", cookie.Name + "=" + cookie.Value})
		}
		for _, header := range headers {
			if a := r.get("/", header...); a.status != http.StatusOK {
				t.Errorf("own site: %d with %s", a.status, header[0])
			}
			if a := do(t, browser(t), http.MethodGet, gated+"/", "", header...); a.status != http.StatusUnauthorized {
				t.Errorf("another site takes %s: %d %s", header[0], a.status, a.body)
			}
		}
		dialects[0].start(r, "code@example.com")
		elsewhere := &rig{t: t, url: gated}
		dialects[0].verify(elsewhere, "code@example.com", r.message("code@example.com", 1).Code).expect(t, "another site's code", dialects[0].wrong)
	})
}

// TestSpoofableProxies: behind a proxy, whoever configures Caddy so that
// clients can choose their own address is told, once.
func TestSpoofableProxies(t *testing.T) {
	skipShort(t)
	const warning = "add trusted_proxies_strict"
	for lines, warnings := range map[string]int{
		"":                                       0,
		"trusted_proxies static 127.0.0.1/8 ::1": 1,
		"trusted_proxies static 127.0.0.1/8 ::1\n\t\ttrusted_proxies_strict": 0,
	} {
		r := newRig(t, "store bolt otp.db\n\t}\n\tservers {\n\t\t"+lines, roomy)
		for range 3 {
			r.get("/page", "X-Forwarded-For", "192.0.2.1")
		}
		r.caddy.Stop()
		if n := strings.Count(r.caddy.Log(), warning); n != warnings {
			t.Errorf("with %q there are %d warnings, not %d", lines, n, warnings)
		}
	}
}
