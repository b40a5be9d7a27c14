// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// sitesOf writes a Caddyfile of a global block and of sites, each of which
// begins with what stands behind `otp`.
func sitesOf(global string, sites ...string) string {
	text := caddyfileOf(global)
	for i, site := range sites {
		realm, lines, _ := strings.Cut(site, "\n")
		text += "\nsite" + string(rune('a'+i)) + ".localhost:8080 {\n\totp " + realm + " {\n" + indent(2, lines) + "\n\t}\n}\n"
	}
	return text
}

func realmHandlers(t *testing.T, config string) map[string]*Handler {
	t.Helper()
	handlers, err := provision(t, jsonOf(t, config))
	if err != nil {
		t.Fatalf("%v\n%s", err, config)
	}
	sites := make(map[string]*Handler)
	for _, h := range handlers {
		sites[strings.TrimPrefix(h.site.Origin, "https://")] = h
	}
	return sites
}

func TestRealmsAreBetweenSitesAndDefaults(t *testing.T) {
	sites := realmHandlers(t, sitesOf(
		mail+"send code\npath /global\nallow *@global.example\nrealm staff {\n\tsend link\n\tallow *@staff.example\n}\nrealm unused {\n\tpath /unused\n}",
		"staff\npublic_url https://a.example.com\nallow *@a.example",
		"staff\npublic_url https://b.example.org",
		"\npublic_url https://alone.example.com",
	))
	for host, want := range map[string]struct{ allow, send, path string }{
		"a.example.com":     {"*@a.example", "link", "/global"},
		"b.example.org":     {"*@staff.example", "link", "/global"},
		"alone.example.com": {"*@global.example", "code", "/global"},
	} {
		if got := sites[host]; !slices.Equal(got.Allow, []string{want.allow}) || got.Send != want.send || got.Path != want.path {
			t.Errorf("%s: allow %v, send %s, path %s", host, got.Allow, got.Send, got.Path)
		}
	}
	for host, realm := range map[string]string{"a.example.com": "staff", "b.example.org": "staff", "alone.example.com": "alone.example.com"} {
		if got := sites[host].site.Gate.Service.Realm(); got != realm {
			t.Errorf("%s is of the realm %s", host, got)
		}
	}
}

func TestHome(t *testing.T) {
	sites := realmHandlers(t, sitesOf(
		mail+"realm staff {\n\tpublic_url https://login.example.com\n\tpath /login\n\tsession {\n\t\tdomain example.com\n\t}\n}",
		"staff\npublic_url https://login.example.com",
		"staff\npublic_url https://wiki.example.com",
		"staff\npublic_url https://other.example.com\nsession {\n\tdomain other.example.com\n}",
		"staff\npublic_url https://named.example.com\nsession {\n\tdomain example.com\n\tcookie __Secure-named\n}",
		"staff\npublic_url https://b.example.org\nsession {\n}",
		"staff\npublic_url https://c.example.net\nsession {\n}\npath /pages",
		"\npublic_url https://alone.example.com",
	))
	for host, want := range map[string]bool{
		"login.example.com": true,  // it is the home
		"wiki.example.com":  false, // the cookie is the home's
		"other.example.com": true,
		"named.example.com": true,
		"b.example.org":     true,
		"c.example.net":     true,
		"alone.example.com": false,
	} {
		h := sites[host]
		handsOff := false
		for _, api := range h.site.APIs {
			for _, e := range api.Endpoints {
				handsOff = handsOff || strings.HasSuffix(e.Path, "/handoff")
			}
		}
		if handsOff != want {
			t.Errorf("%s has an end of a hand-off: %v", host, handsOff)
		}
		if !slices.ContainsFunc(h.site.Gate.HiddenCookies, func(name string) bool { return strings.HasSuffix(name, "-handoff") }) {
			t.Errorf("%s shows the hand-off's cookie to the app", host)
		}
	}
}

// TestSessionsOfARealm: what ends all of somebody's sessions is remembered for
// as long as one of another site of the realm may last.
func TestSessionsOfARealm(t *testing.T) {
	for realm, want := range map[string]time.Duration{"": 30 * 24 * time.Hour, "staff": maxSessionLifetime} {
		h := &Handler{Realm: realm}
		if got := h.longestSession(); got != want {
			t.Errorf("%q: %v", realm, got)
		}
	}
}

func TestRealmsRefused(t *testing.T) {
	const (
		home  = mail + "realm staff {\n\tpublic_url https://login.example.com\n}"
		a     = "site https://a.example.com: "
		staff = "staff\npublic_url https://a.example.com\n"
	)
	for name, c := range map[string]struct{ config, want string }{
		"no address but the home's": {sitesOf(home, "staff\nprotect"),
			"otp needs the site's own address; write `public_url https://app.example.com` into its block (the realm's is where its sites sign in)"},
		"no address but the home's and everybody's": {sitesOf("public_url https://a.example.com\n"+home, "staff\nprotect"),
			"otp needs the site's own address; write `public_url https://app.example.com` into its block (the realm's is where its sites sign in)"},
		"one address twice in a realm": {sitesOf(home, staff, staff),
			a + "two otp directives have this public_url; give each site its own (a site whose addresses have several ports counts once for each port)"},
		"one address in two realms": {sitesOf(home+"\nrealm other", staff, "other\npublic_url https://a.example.com"),
			a + "two otp directives have this public_url; give each site its own (a site whose addresses have several ports counts once for each port)"},
		"a realm with the name of a host": {sitesOf("realm localhost", "\npublic_url http://localhost"),
			"site http://localhost: realm localhost has the name of this site's host, which is a realm of its own; give the realm another name"},
		"a home with another path": {sitesOf(home, "staff\npublic_url https://login.example.com\npath /login"),
			"site https://login.example.com: path /login: this is the home of realm staff, whose other sites look for its pages at /.otp; write `path /login` into the realm's block instead"},
		"a home of a missing variable": {sitesOf(mail+"realm staff {\n\tpublic_url {env.OTP_TEST_UNSET}\n}", staff),
			a + "realm staff: public_url: {env.OTP_TEST_UNSET} is empty; set the variable OTP_TEST_UNSET in Caddy's environment"},
		"a home of a variable": {sitesOf(mail+"realm staff {\n\tpublic_url {env.OTP_TEST_HOME}\n}", staff),
			a + "realm staff: public_url \"http://login.example.com\": plain http is for loopback hosts only; write https://login.example.com"},
		"a session domain of only some sites": {sitesOf(mail+"realm staff {\n\tsession {\n\t\tdomain example.com\n\t}\n}", staff, "staff\npublic_url https://b.example.org"),
			`site https://b.example.org: session domain "example.com": the site is b.example.org, which isn't below it; write a parent domain of the site, or leave it out`},
		"countries without a sender": {sitesOf(mail+"realm staff {\n\tpath /x\n}", staff+"sms_countries DE"),
			"sms_countries has no sender; write `sms <sender>`, or remove it"},
		"exceptions from nothing": {sitesOf(mail+"realm staff {\n\tpath /x\n}", staff+"public /assets"),
			a + "public has nothing to make an exception from, since nothing is protected; write `protect` (every path) or `protect <path>...`, or remove it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTP_TEST_HOME", "http://login.example.com")
			_, err := provision(t, jsonOf(t, c.config))
			switch {
			case err == nil:
				t.Fatalf("is taken:\n%s", c.config)
			case cause(err) != c.want:
				t.Errorf("\n%s\n%s\nnot\n%s", c.config, cause(err), c.want)
			}
		})
	}
}

func TestRealmsRefusedInJSON(t *testing.T) {
	for config, want := range map[string]string{
		`{"otp": {"realms": {"Staff": {}}}}`:                 `"Staff" can't be the name of a realm; write 1 to 63 lower-case letters, digits and -, such as staff`,
		`{"otp": {"realms": {"": {}}}}`:                      `"" can't be the name of a realm; write 1 to 63 lower-case letters, digits and -, such as staff`,
		`{"otp": {"realms": {"staff": {"secrets": ["x"]}}}}`: `unknown field "secrets"`,
		`{"otp": {"realms": {"staff": {}}}, "http": {"servers": {"a": {"listen": ["127.0.0.1:0"], "routes": [{"handle": [{"handler": "otp", "realm": "stuff", "public_url": "http://localhost"}]}]}}}}`: `there is no realm "stuff"; there are: staff`,
	} {
		_, err := provision(t, isolated(t, []byte(`{"apps": `+config+`}`)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

// TestExceptionsOfRealms: an exception is judged by the rules of its own level
// alone.
func TestExceptionsOfRealms(t *testing.T) {
	for name, config := range map[string]string{
		"a default's exception, a realm's rule": sitesOf(mail+"protect\npublic /assets\nrealm staff {\n\tprotect /assets\n}", "staff\npublic_url https://a.example.com"),
		"a realm that opens all":                sitesOf(mail+"protect\nrealm staff {\n\tpublic /\n}", "staff\npublic_url https://a.example.com"),
		"a realm's exception, a site's rule":    sitesOf(mail+"realm staff {\n\tpublic /assets\n}", "staff\npublic_url https://a.example.com\nprotect", "staff\npublic_url https://b.example.com"),
	} {
		if _, err := provision(t, jsonOf(t, config)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStartRefusesHomes has homes that nobody could sign in at.
func TestStartRefusesHomes(t *testing.T) {
	const home = mail + "realm staff {\n\tpublic_url https://login.example.com\n}\n"
	const a = "staff\npublic_url https://a.example.com"
	for name, c := range map[string]struct{ config, want string }{
		"no site's": {sitesOf(home, a),
			"realm staff: its public_url (login.example.com) is where its sites sign in, and no site's; write `otp staff` with this public_url into the site at login.example.com, or remove it from the realm"},
		"a site's of no realm": {sitesOf(home, a, "\npublic_url https://login.example.com"),
			"realm staff: its public_url is that of a site that isn't of the realm; write `otp staff` at login.example.com"},
		"a site's of another realm": {sitesOf(home+"realm other", a, "other\npublic_url https://login.example.com"),
			"realm staff: its public_url is that of a site that isn't of the realm; write `otp staff` at login.example.com"},
		"its own":            {sitesOf(home, a, "staff\npublic_url https://login.example.com"), ""},
		"of an unused realm": {sitesOf(home, "\npublic_url https://alone.example.com"), ""},
		"another server's":   {sitesOf(home+"store redis redis://127.0.0.1:1\nsecret \""+testSecret+"\"", a), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			app := startable(t, c.config)
			if err := app.checkHomes(); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("%s\nnot\n%s", got, c.want)
			}
		})
	}
}

// startable provisions a configuration and returns its otp app.
func startable(t *testing.T, config string) *App {
	t.Helper()
	ctx, _ := unprovisioned(t, jsonOf(t, config))
	if _, err := ctx.App("http"); err != nil {
		t.Fatal(err)
	}
	app, err := ctx.App("otp")
	if err != nil {
		t.Fatal(err)
	}
	return app.(*App)
}
