// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// recovery bounds how long a test waits for what a busy machine does late.
const recovery = 20 * time.Second

// TestRedisHangs takes the store away from a site in use, and starts another
// Caddy meanwhile.
func TestRedisHangs(t *testing.T) {
	site.SkipShort(t)
	server := redisserver.Start(t)
	app := site.NewUpstream(t)
	// Longer than the default, since the machine may be busy.
	global := site.GlobalBlock("store redis " + server.URL() + " {\n\t\t\ttimeout 1s\n\t\t}\n\t\tsecret a-secret-of-more-than-thirty-two-bytes")
	const public = "http://localhost"
	node := func() *site.Rig {
		port := freeport.Take(t)
		r := &site.Rig{T: t, App: app, Global: global, URL: fmt.Sprintf("http://localhost:%d", port)}
		r.Sites = strings.Replace(site.SiteBlock(public, site.APIs+site.Roomy+"\n\t\tprotect /admin", "reverse_proxy "+app.Addr), public, fmt.Sprintf("http://:%d", port), 1)
		r.Caddy = caddyserver.Start(t, r.Global, r.Sites)
		return r
	}
	first := node()
	token := site.Dialects[0].Login(first, "jane@example.com", 1).Text(t, site.Dialects[0].Token)
	if a := first.Get("/admin", "Authorization", "Bearer "+token); a.Status != http.StatusOK {
		t.Fatalf("signed in, and answered %d", a.Status)
	}
	if a := site.Dialects[1].Start(first, "joe@example.com"); a.Status != http.StatusOK {
		t.Fatalf("start: %d", a.Status)
	}
	code := first.Message("joe@example.com", 1).Code

	server.Stop()
	// unavailable asks until the answer is quick.
	unavailable := func(what string, ask func() site.Answer) {
		t.Helper()
		for deadline := time.Now().Add(recovery); ; {
			began := time.Now()
			a := ask()
			if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
				t.Fatalf("%s: answered %d, Retry-After %q: %s", what, a.Status, a.Header.Get("Retry-After"), a.Body)
			}
			if time.Since(began) < 500*time.Millisecond {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: it still takes %v to say so", what, time.Since(began))
			}
		}
	}
	refused := func(r *site.Rig, name string) {
		t.Helper()
		for _, d := range site.Dialects {
			unavailable(name+": "+d.Name+" start", func() site.Answer { return d.Start(r, "new@example.com") })
			unavailable(name+": "+d.Name+" verify", func() site.Answer { return d.Verify(r, "joe@example.com", code) })
		}
		if a := r.Get("/"); a.Status != http.StatusOK {
			t.Errorf("%s: what isn't protected is answered %d", name, a.Status)
		}
		if a := r.Get("/admin"); a.Status == http.StatusOK {
			t.Errorf("%s: nobody is let in", name)
		}
	}
	refused(first, "in use")
	if a := first.Get("/admin", "Authorization", "Bearer "+token); a.Status != http.StatusOK {
		t.Errorf("a session isn't trusted for as long as a minute: %d", a.Status)
	}
	next := node()
	refused(next, "just started")
	if a := next.Get("/admin", "Authorization", "Bearer "+token); a.Status != http.StatusServiceUnavailable {
		t.Errorf("just started: a session that can't be checked is answered %d", a.Status)
	}

	server.Continue()
	for _, r := range []*site.Rig{first, next} {
		for deadline := time.Now().Add(recovery); ; {
			a := r.Get("/admin", "Authorization", "Bearer "+token)
			start := site.Dialects[1].Start(r, fmt.Sprintf("after%d@example.com", time.Now().UnixNano()))
			if a.Status == http.StatusOK && start.Status == http.StatusOK {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the store is back: a session is answered %d, a start %d", a.Status, start.Status)
			}
		}
		log := r.Caddy.Log()
		for _, line := range []string{"redis is down", "redis is up again"} {
			if n := strings.Count(log, line); n != 1 {
				t.Errorf("%q is logged %d times:\n%s", line, n, log)
			}
		}
		if n := strings.Count(log, `"level":"error"`); n > 1 {
			t.Errorf("%d errors are logged:\n%s", n, log)
		}
	}
	if a := site.Dialects[1].Verify(first, "joe@example.com", code); a.Status != http.StatusOK {
		t.Errorf("the code of before is answered %d %s", a.Status, a.Body)
	}
}
