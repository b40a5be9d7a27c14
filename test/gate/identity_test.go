// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// forgedValue is what no app may get to see.
const forgedValue = "admin@forged.example"

// spellingsOf are those in which some server takes a header for the one named.
func spellingsOf(name string) []string {
	return []string{
		name, strings.ToLower(name), strings.ToUpper(name),
		strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(strings.ToUpper(name), "-", "_"), strings.ReplaceAll(name, "-", "."),
		strings.Replace(name, "-", "_", 1), strings.Replace(name, "-", "!", 1), strings.Replace(name, "-", "~", 1),
	}
}

// TestForgedIdentityEverywhere sends identity headers in every spelling and
// form to paths of every kind, as nobody and as somebody, past a Caddy that
// lets odd names through.
func TestForgedIdentityEverywhere(t *testing.T) {
	site.SkipShort(t)
	names := []string{"Remote-User", "Remote-Email", "Remote-Phone", "Remote-Groups", "Remote-Subject", "X-Who", "X-Who-Groups", "X-Proof"}
	var odd []string
	for _, name := range names {
		odd = append(odd, strings.ReplaceAll(name, "-", "_"))
	}
	store := "store bolt otp.db\n\t}\n\tservers {\n\t\texpected_underscore_headers " + strings.Join(odd, " ")
	const options = "\n\t\tprotect /private\n\t\tpublic /private/open\n\t\theader X-Who user\n\t\theader X-Who-Groups groups\n\t\theader Remote-Subject subject\n\t\tassertion X-Proof"
	r := site.New(t, store, site.APIs+site.Roomy+options)
	token := site.Dialects[0].Login(r, "forge@example.com", 1).Text(t, "accessToken")
	sent, arrived, asSomebody := 0, 0, 0
	for _, authorization := range []string{"", "Authorization: Bearer " + token + "\n"} {
		for _, target := range []string{
			"GET /page", "GET /private/x", "GET /private/open/x", "GET /auth/client-config", "GET /.otp/session", "POST /auth/refresh-token", "OPTIONS /private/x",
		} {
			for _, name := range names {
				for _, spelling := range spellingsOf(name) {
					for _, head := range []string{
						spelling + ": " + forgedValue + "\n",
						spelling + ": " + forgedValue + "\n" + spelling + ": " + forgedValue + "\n",
						spelling + ": " + forgedValue + "\nConnection: " + spelling + "\n",
						"Connection: close, " + spelling + "\n",
						"TRAILER",
					} {
						request := target + " HTTP/1.1\nHost: HOST\n" + authorization
						switch {
						case head == "TRAILER":
							request += fmt.Sprintf("Connection: close\nTrailer: %s\nTransfer-Encoding: chunked\n\n2\n{}\n0\n%s: %s\n\n", spelling, spelling, forgedValue)
						case strings.HasPrefix(target, "POST"):
							request += head + "Content-Type: application/json\nContent-Length: 2\nConnection: close\n\n{}"
						case strings.HasPrefix(target, "OPTIONS"):
							request += head + "Origin: https://spa.example.com\nAccess-Control-Request-Method: PUT\nConnection: close\n\n"
						default:
							request += head + "Connection: close\n\n"
						}
						answer := r.Raw(request)
						sent++
						if strings.Contains(answer, forgedValue) {
							arrived++
							t.Errorf("%s arrives:\n%s\n%s", spelling, request, answer)
						}
						fromApp := strings.Contains(answer, "X-App: yes")
						if fromApp && authorization != "" {
							asSomebody++
							if !strings.Contains(answer, "X-Who: forge@example.com\r\n") || !strings.Contains(answer, "X-Proof: eyJ") || !strings.Contains(answer, "Remote-Subject: ") {
								t.Errorf("the app isn't told who it is:\n%s\n%s", request, answer)
							}
						}
						if fromApp && strings.HasPrefix(target, "GET /private/x") && authorization == "" {
							t.Errorf("a forged header opens a protected path:\n%s", request)
						}
					}
				}
			}
		}
	}
	t.Logf("%d requests with forged headers: %d arrived; %d times the app was told who it is", sent, arrived, asSomebody)
}

// TestForgedIdentityInErrors has errors shown by Caddy, and by an app.
func TestForgedIdentityInErrors(t *testing.T) {
	site.SkipShort(t)
	app := site.NewUpstream(t)
	r := &site.Rig{T: t, App: app, Global: site.GlobalBlock("store bolt otp.db")}
	r.URL = fmt.Sprintf("http://localhost:%d", freeport.Take(t))
	nobody := fmt.Sprintf("reverse_proxy 127.0.0.1:%d", freeport.Take(t))
	shown := "\n\thandle_errors {\n\t\trespond `{\"status\":\"{err.status_code}\",\"user\":\"{http.request.header.Remote-User}\",\"id\":\"{http.auth.user.id}\"}`\n\t}"
	r.Sites = site.SiteBlock(r.URL, site.APIs+site.Roomy, nobody+shown)
	r.Caddy = caddyserver.Start(t, r.Global, r.Sites)
	token := site.Dialects[0].Login(r, "forge@example.com", 1).Text(t, "accessToken")
	for authorization, user := range map[string]string{"": "", "Bearer " + token: "forge@example.com"} {
		for _, spelling := range spellingsOf("Remote-User") {
			headers := []string{spelling, forgedValue}
			if authorization != "" {
				headers = append(headers, "Authorization", authorization)
			}
			a := r.Get("/page", headers...)
			if a.Status != http.StatusBadGateway || strings.Contains(a.Body, forgedValue) || !strings.Contains(a.Body, `"user":"`+user+`"`) || strings.Contains(a.Body, "{http") {
				t.Errorf("%s: %d %s", spelling, a.Status, a.Body)
			}
		}
	}
	// An error may come before us, with all that the client sent: no app may
	// be asked for the page.
	err := r.Caddy.Reload(r.Global, site.SiteBlock(r.URL, site.APIs+site.Roomy, nobody+"\n\thandle_errors {\n\t\treverse_proxy "+app.Addr+"\n\t}"))
	if err == nil || !strings.Contains(err.Error(), "handle_errors of "+r.URL+" uses reverse_proxy") {
		t.Errorf("error pages from an app are taken: %v", err)
	}
}
