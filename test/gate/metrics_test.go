// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestMetrics signs in and reads of it at Caddy's admin endpoint, before and
// after a reload.
func TestMetrics(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		const address = "jane@example.com"
		r := site.New(t, store, site.APIs+site.Roomy+"\n\t\tprotect /admin")
		page := func() string { return metricsOf(t, r) }
		realm := `realm="` + r.Host() + `"`
		line := func(name, labels, value string) string {
			return "caddy_otp_" + name + "{" + labels + "} " + value
		}
		// expect waits for what is counted once an answer is on its way.
		expect := func(lines ...string) {
			t.Helper()
			for _, want := range lines {
				for deadline := time.Now().Add(site.DeliveryWait); !strings.Contains(page(), want+"\n"); time.Sleep(20 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("the page lacks %s:\n%s", want, ours(page()))
					}
				}
			}
		}
		expect(
			line("starts_total", `channel="email",dialect="portal",outcome="accepted",purpose="login",`+realm, "0"),
			line("verifications_total", `dialect="autional",method="code",outcome="wrong",purpose="login",`+realm, "0"),
			line("requests_total", `decision="refused",`+realm, "0"),
		)
		if a := r.Get("/admin"); a.Status != http.StatusUnauthorized {
			t.Fatalf("nobody is answered %d", a.Status)
		}
		jane := signInByPage(r, address)
		if a := site.Do(t, jane.Client, http.MethodGet, r.URL+"/admin", ""); a.Status != http.StatusOK {
			t.Fatalf("jane is answered %d", a.Status)
		}
		site.Dialects[1].Verify(r, "stranger@example.com", "000000")
		counted := []string{
			line("starts_total", `channel="email",dialect="portal",outcome="accepted",purpose="login",`+realm, "1"),
			line("verifications_total", `dialect="portal",method="code",outcome="verified",purpose="login",`+realm, "1"),
			line("verifications_total", `dialect="`+site.Dialects[1].Name+`",method="code",outcome="wrong",purpose="login",`+realm, "1"),
			line("message_tries_total", `channel="email",outcome="delivered",`+realm, "1"),
			line("message_wait_seconds_count", `channel="email",`+realm, "1"),
			line("message_try_seconds_count", `channel="email",`+realm, "1"),
			line("requests_total", `decision="refused",`+realm, "1"),
			line("requests_total", `decision="passed_cookie",`+realm, "1"),
			line("breaker_open", realm, "0"),
			line("store_errors_total", `operation="verify",store="`+storeOf(store)+`"`, "0"),
		}
		expect(counted...)
		if !regexp.MustCompile(`caddy_otp_store_operation_seconds_count\{operation="start",store="` + storeOf(store) + `"\} [1-9]`).MatchString(page()) {
			t.Errorf("the store's work isn't measured:\n%s", ours(page()))
		}

		if err := r.Caddy.Reload(r.Global, strings.Replace(r.Sites, "protect /admin", "protect /admin /more", 1)); err != nil {
			t.Fatal(err)
		}
		expect(counted...)
		if a := r.Get("/more"); a.Status != http.StatusUnauthorized {
			t.Fatalf("nobody is answered %d", a.Status)
		}
		expect(line("requests_total", `decision="refused",`+realm, "2"))

		text := ours(page())
		m := r.Message(address, 1)
		personal := []string{address, "jane", "stranger", "example.com", m.Code, m.Link, m.MessageID}
		a := site.Do(t, jane.Client, http.MethodGet, r.URL+"/", "")
		subject := regexp.MustCompile(`Remote-Subject: (\S+)`).FindStringSubmatch(a.Body) // the app tells what it was told
		if subject == nil {
			t.Fatalf("the app is told of nobody: %d %s", a.Status, a.Body)
		}
		personal = append(personal, subject[1])
		for header := range strings.Lines(jane.cookies(t)) {
			_, value, _ := strings.Cut(strings.TrimSpace(header), "=")
			personal = append(personal, value)
		}
		for _, secret := range personal {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("the page has %q:\n%s", secret, text)
			}
		}
	})
}

// metricsOf is the page of metrics at the admin endpoint of a site's Caddy.
func metricsOf(t *testing.T, r *site.Rig) string {
	t.Helper()
	a := site.Do(t, http.DefaultClient, http.MethodGet, "http://"+r.Caddy.Admin()+"/metrics", "")
	if a.Status != http.StatusOK {
		t.Fatalf("answered %d", a.Status)
	}
	return a.Body
}

// ours are our lines of a page of metrics.
func ours(page string) string {
	var text strings.Builder
	for line := range strings.Lines(page) {
		if strings.Contains(line, "caddy_otp_") {
			text.WriteString(line)
		}
	}
	return text.String()
}

// storeOf is the name of the store in lines of the global block.
func storeOf(lines string) string { return strings.Fields(lines)[1] }
