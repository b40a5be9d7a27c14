// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestExampleRuns runs the quickstart, on ports of its own, and logs in with
// the code that it prints.
func TestExampleRuns(t *testing.T) {
	site.SkipShort(t)
	example, err := os.ReadFile("../../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	r := &site.Rig{T: t, URL: fmt.Sprintf("http://localhost:%d", freeport.Take(t))}
	r.Caddy = caddyserver.StartFile(t, strings.ReplaceAll(string(example), "http://localhost:8080", r.URL), "localhost:2020")
	visitor := site.Browser(t)
	if a := site.Do(t, visitor, http.MethodGet, r.URL+"/", "", "Accept", "text/html"); a.Status != http.StatusSeeOther {
		t.Fatalf("a visitor gets %d", a.Status)
	}
	site.ExpectRedirect(t, site.Form(r, visitor, "/.otp/login", url.Values{"address": {"alice@example.com"}, "return_to": {"/"}}), "/.otp/verify")
	site.ExpectRedirect(t, site.Form(r, visitor, "/.otp/verify", url.Values{"code": {printedCode(r)}}), "/")
	page := site.Do(t, visitor, http.MethodGet, r.URL+"/", "", "Remote-Groups", "admins").Body
	for _, text := range []string{"signed in as <b>alice@example.com</b>", "<dt>Remote-User</dt><dd>alice@example.com</dd>", "<dt>Remote-Subject</dt>"} {
		if !strings.Contains(page, text) {
			t.Errorf("the demo app lacks %q:\n%s", text, page)
		}
	}
	if strings.Contains(page, "admins") {
		t.Errorf("a forged header arrives:\n%s", page)
	}
	if _, err := os.Stat(filepath.Join(r.Caddy.Dir, ".demo", "otp.db")); err != nil {
		t.Errorf("the demo's data: %v", err)
	}
}

// printedCode waits for the first line of the terminal that is a code.
func printedCode(r *site.Rig) string {
	r.T.Helper()
	for deadline := time.Now().Add(site.DeliveryWait); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for line := range strings.Lines(r.Caddy.Log()) {
			if line = strings.TrimSpace(line); len(line) == 6 && strings.Trim(line, "0123456789") == "" {
				return line
			}
		}
	}
	r.T.Fatalf("no code is printed:\n%s", r.Caddy.Log())
	return ""
}
