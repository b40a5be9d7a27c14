// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestAuth0Link follows a link of the Auth0 API: it is opened three times as mail
// scanners do, then its owner presses the button, then somebody tries again.
func TestAuth0Link(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		const address = "link@example.com"
		r := site.New(t, store, site.APIs+site.Roomy+"\n\t\tprotect /private")
		a := r.Post("/passwordless/start", site.Object{
			"client_id": site.ClientID, "client_secret": site.ClientSecret, "connection": "email", "email": address,
			"authParams": site.Object{"redirect_uri": "https://app.example.com/callback", "state": "s", "response_type": "code"},
		})
		if a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		link := r.Message(address, 1).Link
		token := link[strings.Index(link, "token=")+len("token="):]
		signedIn := func(visitor *http.Client) bool {
			return site.Do(t, visitor, http.MethodGet, r.URL+"/private", "").Status == http.StatusOK
		}
		step := func(what, want, got string) {
			t.Helper()
			t.Logf("%s | %s | %s", what, want, got)
			if got != want {
				t.Errorf("%s: it isn't so", what)
			}
		}
		say := func(a site.Answer, visitor *http.Client) string {
			text := http.StatusText(a.Status)
			if to, _, _ := strings.Cut(a.Header.Get("Location"), "?"); to != "" {
				text += " to " + to
			}
			if signedIn(visitor) {
				return text + ", signed in"
			}
			return text + ", nobody signed in"
		}
		for range 3 {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				scanner := site.Browser(t)
				a := site.Do(t, scanner, method, link, "", "Accept", "text/html")
				step(method+" by a scanner", "OK, nobody signed in", say(a, scanner))
			}
		}
		press := func() (site.Answer, *http.Client) {
			visitor := site.Browser(t)
			if a := site.Do(t, visitor, http.MethodGet, link, "", "Accept", "text/html"); a.Status != http.StatusOK {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			return site.Form(r, visitor, "/.otp/link", url.Values{"token": {token}}), visitor
		}
		a, owner := press()
		step("the owner presses the button", "See Other to https://app.example.com/callback, signed in", say(a, owner))
		location, err := url.Parse(a.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		tokens := r.Post("/oauth/token", site.Object{
			"grant_type": "authorization_code", "client_id": site.ClientID, "client_secret": site.ClientSecret,
			"code": location.Query().Get("code"), "redirect_uri": "https://app.example.com/callback",
		})
		step("the client redeems its code", "OK", http.StatusText(tokens.Status))
		again, other := press()
		step("somebody presses it again", "Bad Request, nobody signed in", say(again, other))
		step("the owner", "true", map[bool]string{true: "true", false: "false"}[signedIn(owner)])
	})
}
