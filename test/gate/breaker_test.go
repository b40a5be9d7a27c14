// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestSprayOpensTheBreaker: who guesses a few codes of each of many addresses
// stays below every limit of one address; the realm's breaker stops them. Who
// is signed in notices nothing, and their own browser goes on getting codes.
func TestSprayOpensTheBreaker(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		const jane = "jane@example.com"
		r := site.New(t, store, site.APIs+site.Roomy+"\n\t\tprotect /admin")
		autional := site.Dialects[1]
		own := site.Browser(t)
		site.ExpectRedirect(t, site.Form(r, own, "/.otp/login", url.Values{"address": {jane}}), "/.otp/verify")
		site.ExpectRedirect(t, site.Form(r, own, "/.otp/verify", url.Values{"code": {r.Message(jane, 1).Code}, "device": {"1"}}), "/")
		open := func() bool {
			t.Helper()
			return strings.Contains(metricsOf(t, r), `caddy_otp_breaker_open{realm="`+r.Host()+`"} 1`+"\n")
		}
		if open() {
			t.Fatal("open before")
		}
		guesses, opened := 0, false
		for n := 0; !opened; n++ {
			if n == 1000 {
				t.Fatalf("%d guesses didn't open it", guesses)
			}
			address := fmt.Sprintf("person%d@example.com", n)
			if a := autional.Start(r, address); a.Status != http.StatusOK {
				t.Fatalf("start %d after %d guesses: %d %s", n, guesses, a.Status, a.Body)
			}
			// One of a million is right.
			for _, code := range []string{"000000", "000001", "000002", "000003"} {
				a := autional.Verify(r, address, code)
				if opened = a.Status == autional.Throttled.Status; opened {
					break
				}
				guesses++
			}
		}
		if guesses < 300 || !open() {
			t.Errorf("refused after %d guesses; the metric says open: %t", guesses, open())
		}

		for _, d := range site.Dialects {
			newcomer := "newcomer-" + d.Name + "@example.com"
			d.Start(r, newcomer).Expect(t, d.Name+" start", d.Throttled)
			d.Verify(r, "person0@example.com", "000004").Expect(t, d.Name+" verify", d.Throttled)
		}
		page := site.Form(r, site.Browser(t), "/.otp/login", url.Values{"address": {"newcomer@example.com"}})
		if page.Status != http.StatusTooManyRequests || page.Header.Get("Retry-After") == "" || !strings.Contains(page.Body, "Too many people") {
			t.Errorf("the login page: %d %v %s", page.Status, page.Header, page.Body)
		}

		if a := site.Do(t, own, http.MethodGet, r.URL+"/admin", ""); a.Status != http.StatusOK {
			t.Errorf("who is signed in is answered %d", a.Status)
		}
		site.ExpectRedirect(t, site.Form(r, own, "/.otp/login", url.Values{"address": {jane}}), "/.otp/verify")
		r.Message(jane, 2)
	})
}
