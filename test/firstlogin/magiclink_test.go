// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestMagicLink follows links that the Autional API sends: in a browser, by the
// site's page, and in a program.
func TestMagicLink(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		r := site.New(t, store, site.APIs+site.Roomy+"\n\t\tprotect /private")
		const confirm = "/auth/magic-link/confirm"
		ask := func(address, redirect string) (link, token string) {
			if a := r.Post("/auth/magic-link/request", site.Object{"email": address, "redirect_url": redirect}); a.Status != http.StatusOK {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			m := r.Message(address, 1)
			if m.Code != "" || !strings.HasPrefix(m.Link, r.URL+"/.otp/link?token=") || !strings.Contains(m.Text, m.Link) {
				t.Fatalf("message is %+v", m)
			}
			return m.Link, m.Link[strings.Index(m.Link, "=")+1:]
		}

		t.Run("in a browser", func(t *testing.T) {
			link, token := ask("browser@example.com", r.URL+"/private/welcome?x=1")
			visitor := site.Browser(t)
			site.ExpectRedirect(t, site.Do(t, visitor, http.MethodGet, r.URL+confirm+"?token="+token, "", "Accept", "text/html"), "/.otp/link?token="+token)
			for range 3 { // a scanner comes along too
				if a := site.Do(t, site.Browser(t), http.MethodGet, link, "", "Accept", "text/html"); a.Status != http.StatusOK || a.Header.Get("Set-Cookie") != "" {
					t.Fatalf("%d %v", a.Status, a.Header)
				}
			}
			site.ExpectRedirect(t, site.Form(r, visitor, "/.otp/link", url.Values{"token": {token}}), r.URL+"/private/welcome?x=1")
			if echo := site.Do(t, visitor, http.MethodGet, r.URL+"/private/welcome", "").Body; !strings.Contains(echo, "Remote-User: browser@example.com") {
				t.Errorf("the app got\n%s", echo)
			}
			r.Post(confirm, site.Object{"token": token}).Expect(t, "a link that is used up", site.Refused(400, "code", 30101003.0))
		})
		t.Run("in a program", func(t *testing.T) {
			_, token := ask("program@example.com", "")
			r.Get(confirm+"?token="+token).Expect(t, "GET", site.Refused(405, "code", 40500001.0))
			access := r.Post(confirm, site.Object{"token": token}).Text(t, "access_token")
			if a := r.Get("/private", "Authorization", "Bearer "+access); a.Status != http.StatusOK || !strings.Contains(a.Body, "Remote-User: program@example.com") {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	})
}
