// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/chromium"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/nodejs"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestBrowser has people sign in with applications in Chromium: pages with the
// npm package auth0-js, and an application whose server has openid-client.
func TestBrowser(t *testing.T) {
	site.OnEachStore(t, testBrowser)
}

func testBrowser(t *testing.T, store string) {
	tls := newAuthority(t)
	origin := fmt.Sprintf("https://localhost:%d", freeport.Take(t))
	branch := fmt.Sprintf("https://localhost:%d", freeport.Take(t))
	home := fmt.Sprintf("https://%s:%d", homeHost, freeport.Take(t))
	global := site.GlobalBlock(store + "\n\t\trealm staff {\n\t\t\tpublic_url " + home + "\n\t\t}")
	caddy := caddyserver.Start(t, global, browserSite(origin, "", tls)+browserSite(branch, "staff", tls)+browserSite(home, "staff", tls))
	lines := nodejs.Run(t, "browser", "browser.mjs",
		"NODE_EXTRA_CA_CERTS="+tls.root,
		"SITE="+origin, "BRANCH="+branch, "HOME_SITE="+home,
		"MAILS="+filepath.Join(caddy.Dir, "mails.jsonl"),
		"SECRET="+site.ClientSecret,
		"CHROMIUM="+chromium.Path(t),
		"CERTIFICATE="+tls.certificate, "KEY="+tls.key,
	)
	want := browserOutcomes()
	for _, line := range lines {
		var step struct {
			Name   string
			Result json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &step); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		t.Logf("%-40s %s", step.Name, step.Result)
		if expected, ok := want[step.Name]; !ok || string(step.Result) != expected {
			t.Errorf("%s: %s\nwant: %s", step.Name, step.Result, expected)
		}
		delete(want, step.Name)
	}
	for name := range want {
		t.Errorf("%s: it wasn't done", name)
	}
	if t.Failed() {
		t.Log(caddy.Log())
	}
}

// browserSite is a site of a realm ("": of its own) with a client of each kind.
func browserSite(origin, realm string, tls authority) string {
	return fmt.Sprintf(`%s {
	tls %s %s
	otp %[5]s {
		public_url %[1]s
		email file mails.jsonl insecure
		throttle client_ip 1000 1h
		throttle address 100 1h
		api auth0 {
			exclusive
			client page {
				type spa
				callback https://spa.example.com/callback https://localhost:4443/callback
				logout https://localhost:4443/bye
				origin https://spa.example.com https://localhost:4443
			}
			client web {
				secret %[4]s
				callback https://app.example.com/callback
				logout https://app.example.com/bye
			}
			client native {
				type native
				callback https://app.example.com/callback
				logout https://app.example.com/bye
			}
		}
	}
	respond 404
}
`, origin, tls.certificate, tls.key, site.ClientSecret, realm)
}

// browserOutcomes are what must come of each step.
func browserOutcomes() map[string]string {
	const wrong = `{"error":"access_denied","description":"Wrong email or verification code."}`
	login := func(email string) string {
		return fmt.Sprintf(`{"email":%q,"aud":"page","iss":true,"scope":"openid email","token":"Bearer","refresh":null}`, email)
	}
	want := map[string]string{
		"cross-site: a wrong code":          wrong,
		"cross-site: login":                 login("far@example.com"),
		"cross-site: userinfo":              `{"email":"far@example.com"}`,
		"cross-site: signed in at the site": "false",

		"same-site: nobody":                `{"error":"login_required","description":"Login required"}`,
		"same-site: a wrong code":          wrong,
		"same-site: login":                 login("near@example.com"),
		"same-site: signed in at the site": "true",
		"same-site: checkSession":          login("near@example.com"),
		"same-site: after the logout":      "false",

		"hosted: a wrong code":          wrong,
		"hosted: asked first":           "false",
		"hosted: login":                 login("hosted@example.com"),
		"hosted: signed in at the site": "true",

		"link: by scanners": "false",
		"link: login":       login("link@example.com"),
		"link: again":       "400",
	}
	for i, client := range []string{"web", "web", "native"} {
		name := fmt.Sprintf("%s %d", client, i+1)
		email := fmt.Sprintf("%q", fmt.Sprintf("oidc%d@example.com", i+1))
		want[name+": nobody, silently"] = `{"error":"login_required"}`
		want[name+": login"] = fmt.Sprintf(`{"email":%s,"aud":%q,"iss":true,"scope":"openid email profile offline_access"}`, email, client)
		want[name+": userinfo"] = email
		want[name+": refresh"] = email
		want[name+": silently"] = email
		want[name+": again"] = email
		want[name+": prompt=login"] = email
		want[name+": after the logout"] = "false"
		want[name+": an unregistered callback"] = "true"
	}
	for responseType, names := range map[string]string{
		"code":                "code iss state",
		"code id_token":       "code id_token iss state",
		"code token":          "access_token code expires_in iss scope state token_type",
		"code id_token token": "access_token code expires_in id_token iss scope state token_type",
	} {
		hashes := map[string]string{
			"code id_token":       `,"c_hash":true,"at_hash":null`,
			"code id_token token": `,"c_hash":true,"at_hash":true`,
		}[responseType]
		for _, mode := range []string{"fragment", "form_post"} {
			want["hybrid: "+responseType+", "+mode] = fmt.Sprintf(`{"names":%q,"email":"hybrid@example.com","sub":true%s}`, names, hashes)
		}
	}
	want["hybrid: another code"] = "true"
	want["hybrid: no nonce"] = `"invalid_request"`
	want["home: login"] = `{"email":"home@example.com","age":true}`
	want["home: again"] = `"same login"`
	want["home: the login page"] = `{"at":"home","lang":"de","address":"home@example.com","path":"/.otp/handoff"}`
	want["home: prompt=login"] = `"new login"`
	want["home: max_age"] = `"new login"`
	want["posted request"] = `"code iss state"`
	return want
}
