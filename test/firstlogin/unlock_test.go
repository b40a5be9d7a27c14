// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestUnlock has an admin unlock an address that somebody guessed codes of.
func TestUnlock(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		const jane = "jane@example.com"
		r := site.New(t, store, "\t\tthrottle address 100 1m\n"+site.APIs+site.Roomy)
		start := func(nth int) (status int, code string) {
			a := r.Post("/auth/passwordless/send", site.Object{"identifier": jane, "channel": "email"})
			if a.Status != http.StatusOK {
				return a.Status, ""
			}
			return a.Status, r.Message(jane, nth).Code
		}
		for nth := range otp.CoolDownFailures {
			_, code := start(nth + 1)
			r.Post("/auth/login", site.Object{"providerName": "passwordless", "credentials": site.Object{
				"identifier": jane, "code": site.OtherCode(code), "channels": []string{"email"},
			}})
		}
		if status, _ := start(otp.CoolDownFailures + 1); status != http.StatusTooManyRequests {
			t.Fatalf("after %d wrong guesses: %d", otp.CoolDownFailures, status)
		}
		unlock := func(args ...string) string {
			t.Helper()
			command := caddyserver.Command(t, r.Caddy.Dir, append([]string{"otp-unlock", "--address", r.Caddy.Admin()}, args...)...)
			output, _ := command.CombinedOutput()
			return string(output)
		}
		for want, args := range map[string][]string{
			"there is no site": {"--site", "elsewhere.example.com", jane},
			"write an e-mail":  {"nobody"},
			"accepts 1 arg":    {},
		} {
			if got := unlock(args...); !strings.Contains(got, want) || strings.Contains(got, "unlocked") {
				t.Errorf("unlock %v: %s", args, got)
			}
		}
		if got := unlock("--site", r.Host(), "Jane@Example.com"); !strings.Contains(got, "unlocked") {
			t.Fatal(got)
		}
		if status, _ := start(otp.CoolDownFailures + 1); status != http.StatusOK {
			t.Errorf("after it was unlocked: %d", status)
		}
		if log := r.Caddy.Log(); !strings.Contains(log, "an address was unlocked") || strings.Contains(log, jane) {
			t.Error("the log must say so, and not whose address")
		}
	})
}
