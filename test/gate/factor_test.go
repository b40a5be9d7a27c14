// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestSecondFactor proves one on each store, and what was there before is
// worthless then.
func TestSecondFactor(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		r := site.New(t, store, site.APIs+site.Roomy+"\n\t\trequire_mfa /admin fresh 15m")
		v := signInByPage(r, "factor@example.com")
		before := v.cookies(t)
		v.elevate("factor@example.com", "/admin")
		if answer := r.Raw(pathTrick{line: "GET /admin"}.raw(v.cookies(t))); !strings.Contains(answer, "Remote-User: factor@example.com\r\n") {
			t.Errorf("the app doesn't get who it is:\n%s", answer)
		}
		if answer := r.Raw(pathTrick{line: "GET /home"}.raw(before)); strings.Contains(answer, "Remote-User") {
			t.Errorf("the session before goes on:\n%s", answer)
		}
		token := site.Dialects[0].Login(r, "bearer@example.com", 1).Text(t, "accessToken")
		a := r.Get("/admin", "Authorization", "Bearer "+token)
		if a.Status != http.StatusForbidden || a.Text(t, "detail") != "a second factor is needed" {
			t.Errorf("a bearer without it: %d %s", a.Status, a.Body)
		}
	})
}
