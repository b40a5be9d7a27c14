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

// TestAudience: a token for an API opens the sites of its realm that say that
// they have it, in a client's block or as the default, and no others. The site's
// own tokens open all of them.
func TestAudience(t *testing.T) {
	site.SkipShort(t)
	const orders, invoices = "https://orders.example.com", "https://invoices.example.com"
	app := site.NewUpstream(t)
	r := &site.Rig{T: t, App: app, Global: realmBlock("store bolt otp.db", "path /.otp")}
	sites := make(map[string]*site.Rig)
	for name, api := range map[string]string{
		"clients": "api auth0 {\n\t\t\tclient " + site.ClientID + " {\n\t\t\t\tsecret " + site.ClientSecret +
			"\n\t\t\t\taudience " + orders + " " + invoices + "\n\t\t\t}\n\t\t}",
		"default": "api auth0 {\n\t\t\tclient " + site.PublicClient + "\n\t\t\tdefault_audience " + invoices + "\n\t\t}",
		"none":    "api nestauth",
	} {
		at := *r
		at.URL = fmt.Sprintf("http://localhost:%d", freeport.Take(t))
		sites[name] = &at
		r.Sites += fmt.Sprintf("%s {\n\totp staff {\n\t\tpublic_url %[1]s\n\t\tprotect\n\t\t%s\n\t}\n\treverse_proxy %s\n}\n", at.URL, api, app.Addr)
	}
	r.Caddy = caddyserver.Start(t, r.Global, r.Sites)
	for _, at := range sites {
		at.Caddy, at.Sites = r.Caddy, r.Sites
	}
	for n, tc := range []struct {
		audience string
		opens    string
	}{
		{"", "clients default none"},
		{orders, "clients"},
		{invoices, "clients default"},
	} {
		clients, person := sites["clients"], fmt.Sprintf("person%d@example.com", n)
		site.Dialects[2].Start(clients, person)
		request := site.Object{
			"grant_type": "http://auth0.com/oauth/grant-type/passwordless/otp",
			"client_id":  site.ClientID, "client_secret": site.ClientSecret, "realm": "email", "scope": "openid",
			"username": person, "otp": clients.Message(person, 1).Code,
		}
		if tc.audience != "" {
			request["audience"] = tc.audience
		}
		bearer := []string{"Authorization", "Bearer " + clients.Post("/oauth/token", request).Text(t, "access_token")}
		for name, at := range sites {
			a := site.Do(t, http.DefaultClient, http.MethodGet, at.URL+"/page", "", bearer...)
			switch opens := strings.Contains(tc.opens, name); {
			case opens && (a.Status != http.StatusOK || !strings.Contains(a.Body, "Remote-User: "+person)):
				t.Errorf("for %q, at %s: %d %s", tc.audience, name, a.Status, a.Body)
			case !opens && a.Status != http.StatusUnauthorized:
				t.Errorf("for %q, at %s: %d %s", tc.audience, name, a.Status, a.Body)
			}
		}
	}
}
