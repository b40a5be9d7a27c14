// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"cmp"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// testSecret has the length that a secret needs.
const testSecret = "a secret of the tests, 32 bytes and more"

// indent writes a block's lines as a Caddyfile has them.
func indent(tabs int, lines string) string {
	var text strings.Builder
	for line := range strings.Lines(lines) {
		text.WriteString(strings.Repeat("\t", tabs) + line)
	}
	return text.String()
}

// caddyfileOf writes a Caddyfile of lines for the global otp block and for
// each site's.
func caddyfileOf(global string, sites ...string) string {
	text := "{\n\tauto_https off\n\totp {\n" + indent(2, global) + "\n\t}\n}\n"
	for i, site := range sites {
		text += "\nsite" + string(rune('a'+i)) + ".localhost:8080 {\n\totp {\n" + indent(2, site) + "\n\t}\n}\n"
	}
	return text
}

// jsonOf adapts a Caddyfile and adds what keeps Caddy to itself in a test.
func jsonOf(t *testing.T, caddyfile string) []byte {
	t.Helper()
	adapted, err := adapt(t, formatted(caddyfile))
	if err != nil {
		t.Fatalf("%v\n%s", err, caddyfile)
	}
	return isolated(t, []byte(adapted))
}

// isolated turns off what a configuration would share with other processes:
// the admin endpoint, its copy on disk, the log and Caddy's storage.
func isolated(t *testing.T, config []byte) []byte {
	t.Helper()
	var c map[string]any
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	c["admin"] = map[string]any{"disabled": true, "config": map[string]any{"persist": false}}
	c["logging"] = map[string]any{"logs": map[string]any{"default": map[string]any{"writer": map[string]any{"output": "discard"}}}}
	c["storage"] = map[string]any{"module": "file_system", "root": filepath.Join(t.TempDir(), "caddy")}
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// provision provisions a configuration as Caddy does, without starting it,
// and returns its otp handlers.
func provision(t *testing.T, config []byte) ([]*Handler, error) {
	t.Helper()
	ctx, apps := unprovisioned(t, config)
	// The order of the apps, and so which error comes first, is else random.
	if apps["http"] == nil {
		_, err := ctx.App("otp")
		return nil, err
	}
	app, err := ctx.App("http")
	if err != nil {
		return nil, err
	}
	var handlers []*Handler
	for _, server := range app.(*caddyhttp.App).Servers {
		handlers = append(handlers, handlersOf(server.Routes)...)
	}
	return handlers, nil
}

// unprovisioned returns the context of a configuration and its apps, none of
// which is provisioned yet.
func unprovisioned(t *testing.T, config []byte) (caddy.Context, caddy.ModuleMap) {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	var c caddy.Config
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	apps := c.AppsRaw
	c.AppsRaw = nil
	base, err := caddy.ProvisionContext(&c)
	if err != nil {
		t.Fatal(err)
	}
	c.AppsRaw = apps
	ctx, cancel := caddy.NewContext(base)
	t.Cleanup(cancel)
	return ctx, apps
}

func handlersOf(routes caddyhttp.RouteList) []*Handler {
	var all []*Handler
	for _, route := range routes {
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *Handler:
				all = append(all, h)
			case *caddyhttp.Subroute:
				all = append(all, handlersOf(h.Routes)...)
			}
		}
	}
	return all
}

// cause is an error without what Caddy puts in front of ours.
func cause(err error) string {
	text := err.Error()
	for _, ours := range []string{"provision http.handlers.otp: ", "loading otp app module: ", "provision otp: ", "loading the store: ", "provision otp.stores.redis: ", "provision otp.stores.bolt: "} {
		if i := strings.LastIndex(text, ours); i >= 0 {
			text = text[i+len(ours):]
		}
	}
	return text
}

const (
	public = "public_url https://app.example.com\n"
	mail   = "email smtp mail.example.com {\n\tfrom login@example.com\n}\n"
)

func TestProvision(t *testing.T) {
	t.Setenv("OTP_TEST_URL", "https://env.example.com")
	t.Setenv("OTP_TEST_SECRET", testSecret)
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte(testSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, config := range map[string]string{
		"loopback without a sender":                        caddyfileOf("", "public_url http://localhost:8080"),
		"loopback in its other spellings":                  caddyfileOf("", "public_url http://127.1.2.3", "public_url http://[::1]:8080", "public_url http://app.localhost"),
		"public with a sender":                             caddyfileOf("", public+mail),
		"the senders of the defaults":                      caddyfileOf(mail, public, "public_url https://two.example.com"),
		"log with insecure":                                caddyfileOf("", public+"email log insecure"),
		"file with insecure":                               caddyfileOf("", public+"email file codes.jsonl insecure"),
		"sms on a loopback site":                           caddyfileOf("", "public_url http://localhost\nsms log\nsms_countries DE"),
		"countries as a default":                           caddyfileOf("sms_countries DE\n"+mail, public, "public_url http://localhost\nsms log"),
		"a country in a sender and variables":              caddyfileOf("", "public_url http://localhost\nsms_countries {env.OTP_TEST_COUNTRIES}\nsms http https://sms.example.com {\n\tcountries {env.OTP_TEST_COUNTRIES}\n}"),
		"a variable":                                       caddyfileOf("secret {env.OTP_TEST_SECRET}\nstore redis redis://localhost", "public_url {env.OTP_TEST_URL}\n"+mail),
		"a file":                                           caddyfileOf("secret {file."+secretFile+"}\nstore redis redis://localhost", public+mail),
		"two secrets":                                      caddyfileOf("secret {env.OTP_TEST_SECRET} {file."+secretFile+"}", public+mail),
		"a session for a parent domain":                    caddyfileOf("", public+mail+"session {\n\tdomain Example.com\n}"),
		"a session for the domain itself":                  caddyfileOf("", public+mail+"session {\n\tdomain app.example.com\n\tcookie __Secure-app\n}"),
		"a cookie without a domain":                        caddyfileOf("", public+mail+"session {\n\tcookie __Host-app\n}"),
		"a cookie on plain http":                           caddyfileOf("", "public_url http://localhost\nsession {\n\tcookie __app\n}"),
		"pages where an api that is off would":             caddyfileOf("", public+mail+"path /auth\napi none"),
		"an exception from what is protected by default":   caddyfileOf("protect\n"+mail, public+"public /assets"),
		"a site that opens what is protected by default":   caddyfileOf("protect\n"+mail, public+"public /"),
		"exceptions as a default, one site protected":      caddyfileOf("public /assets\n"+mail, public+"protect", "public_url https://two.example.com"),
		"a site that protects an exception of the default": caddyfileOf("protect /\npublic /assets\n"+mail, public+"protect /assets"),
		"phones only, with sms":                            caddyfileOf("", public+mail+"allow +49*\nsms http https://sms.example.com\nsms_countries DE"),
		"phones and mails":                                 caddyfileOf("", public+mail+"allow +49* *@example.com"),
		"a session shorter than the default rest":          caddyfileOf("", public+mail+"session {\n\tlifetime 8h\n}"),
		"a rest as long as the session":                    caddyfileOf("", public+mail+"session {\n\tlifetime 30d\n\tidle 30d\n}"),
		"http in a private network":                        caddyfileOf("", public+"email http http://mailpit:8025/send"),
		"http by variables":                                caddyfileOf("", public+"email http {env.OTP_TEST_URL} {\n\tmethod {env.OTP_TEST_METHOD}\n\theader Content-Type {env.OTP_TEST_TYPE}\n\theader X-Key {env.OTP_TEST_SECRET}\n\tbody \"text={otp.text}&key={env.OTP_TEST_SECRET}\"\n}"),
		"headers of its own":                               caddyfileOf("header X-User user\n"+mail, public+"header X-Who user\nheader X-Webauth-Email email", "public_url https://two.example.com"),
		"headers by variables":                             caddyfileOf("", public+mail+"header {env.OTP_TEST_HEADER} {env.OTP_TEST_VALUE}"),
		"hosts with two ports":                             caddyfileOf("", public+mail, "public_url https://app.example.com:8443\n"+mail),
		"a host beyond ASCII":                              caddyfileOf("", "public_url https://münchen.example\n"+mail),
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTP_TEST_COUNTRIES", "DE AT")
			t.Setenv("OTP_TEST_HEADER", "X-User")
			t.Setenv("OTP_TEST_VALUE", "email")
			t.Setenv("OTP_TEST_METHOD", "PUT")
			t.Setenv("OTP_TEST_TYPE", "application/x-www-form-urlencoded")
			handlers, err := provision(t, jsonOf(t, config))
			if err != nil {
				t.Fatalf("%v\n%s", err, config)
			}
			if want := strings.Count(config, "public_url"); len(handlers) != want {
				t.Errorf("%d handlers, not %d", len(handlers), want)
			}
		})
	}
}

func TestProvisionRefuses(t *testing.T) {
	const unset = "{env.OTP_TEST_UNSET}"
	const isUnset = "{env.OTP_TEST_UNSET} is empty; set the variable OTP_TEST_UNSET in Caddy's environment"
	const isUnknown = `the placeholder in it is unknown; there are {env.NAME} and {file./path}, and a brace that is meant as such is written \{`
	const app = "site https://app.example.com: "
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	private := filepath.Join(t.TempDir(), "private.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hunter2")})
	if err := os.WriteFile(private, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ config, want string }{
		"no public_url": {caddyfileOf("", mail),
			"otp needs the site's address; write `public_url https://app.example.com` into its block"},
		"public_url of a variable": {caddyfileOf("", "public_url {env.OTP_TEST_PLAIN}\n"+mail),
			`public_url "http://app.example.com": plain http is for loopback hosts only; write https://app.example.com`},
		"two sites with one public_url": {caddyfileOf("", public+mail, public+mail),
			app + "two otp directives have this public_url; give each site its own (a site whose addresses have several ports counts once for each port)"},
		"two spellings of one public_url": {caddyfileOf("", public+mail, "public_url https://APP.example.com:443/\n"+mail),
			app + "two otp directives have this public_url; give each site its own (a site whose addresses have several ports counts once for each port)"},
		"public_url as everybody's default": {caddyfileOf(public+mail, "protect", "protect"),
			app + "two otp directives have this public_url; give each site its own (a site whose addresses have several ports counts once for each port)"},

		"secret too short": {caddyfileOf("secret {env.OTP_TEST_SHORT}", public+mail),
			"secret 1 has 18 bytes; at least 32 are needed; make one with `openssl rand -base64 32`"},
		"second secret too short": {caddyfileOf(`secret "`+testSecret+`" {env.OTP_TEST_SHORT}`, public+mail),
			"secret 2 has 18 bytes; at least 32 are needed; make one with `openssl rand -base64 32`"},
		"secret of a missing variable": {caddyfileOf("secret "+unset, public+mail), "secret: " + isUnset},
		"secret of a missing file": {caddyfileOf("secret {file./nonexistent/secret}", public+mail),
			"secret: {file./nonexistent/secret} can't be read: no such file or directory; put the value into /nonexistent/secret, where Caddy may read it"},
		"secret of an empty file": {caddyfileOf("secret {file."+empty+"}", public+mail),
			"secret: {file." + empty + "} is empty; put the value into " + empty + ", where Caddy may read it"},
		"secret of a folder": {caddyfileOf("secret {file."+filepath.Dir(empty)+"}", public+mail),
			"secret: {file." + filepath.Dir(empty) + "} can't be read: is a directory; put the value into " + filepath.Dir(empty) + ", where Caddy may read it"},
		"secret with braces": {caddyfileOf("secret aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{hunter2}", public+mail), "secret: " + isUnknown},

		"redis without a secret": {caddyfileOf("store redis redis://localhost", public+mail),
			"store redis needs a secret that all servers share; make one with `openssl rand -base64 32` and write `secret {env.OTP_SECRET}` or `secret {file./path}` into the global otp block"},
		"redis of a missing variable": {caddyfileOf("store redis "+unset, public+mail), "store redis: " + isUnset},
		"redis with a bad URL": {caddyfileOf("store redis redis://:{env.OTP_TEST_SHORT}%zz@localhost", public+mail),
			"redis: the URL can't be read: write redis://user:password@host:port/database and percent-encode what is special in the password"},
		"bolt of a missing variable": {caddyfileOf("store bolt "+unset, public+mail), "store bolt: " + isUnset},

		"no sender on a public site": {caddyfileOf("", public),
			app + "otp needs a way to send e-mails; write one of: `email smtp <host:port> { from <address> }` or `email http <url>`; to try things out, `email log insecure` prints the codes"},
		"log on a public site": {caddyfileOf("", public+"email log"),
			app + "email log shows codes to whoever can read its output, so it is for loopback sites; use another sender, or write `insecure` behind it if you know that nobody else can"},
		"log as a default on a public site": {caddyfileOf("email log", public),
			app + "email log shows codes to whoever can read its output, so it is for loopback sites; use another sender, or write `insecure` behind it if you know that nobody else can"},
		"file on a public site": {caddyfileOf("", public+mail+"sms file codes.jsonl\nsms_countries DE"),
			app + "sms file shows codes to whoever can read its output, so it is for loopback sites; use another sender, or write `insecure` behind it if you know that nobody else can"},
		"a host that only looks like a loopback": {caddyfileOf("", "public_url https://localhost.example.com\nemail log"),
			"site https://localhost.example.com: email log shows codes to whoever can read its output, so it is for loopback sites; use another sender, or write `insecure` behind it if you know that nobody else can"},
		"sms without countries": {caddyfileOf("", public+mail+"sms log insecure"),
			app + "sms needs `sms_countries <CC>...`: fraudsters ask for codes to expensive countries, so say where your users are"},
		"countries without sms": {caddyfileOf("", public+mail+"sms_countries DE"),
			"sms_countries has no sender; write `sms <sender>`, or remove it"},
		"smtp password of a missing variable": {caddyfileOf("", public+"email smtp mail.example.com {\n\tfrom login@example.com\n\tusername alice\n\tpassword "+unset+"\n}"),
			app + "email: position 0: loading module 'smtp': provision otp.senders.smtp: smtp password: " + isUnset},
		"smtp password with braces": {caddyfileOf("", public+"email smtp mail.example.com {\n\tfrom login@example.com\n\tusername alice\n\tpassword a{hunter2}\n}"),
			app + "email: position 0: loading module 'smtp': provision otp.senders.smtp: smtp password: " + isUnknown},
		"http header of a missing variable": {caddyfileOf("", public+"email http https://mail.example.com {\n\theader Authorization \"Bearer "+unset+"\"\n}"),
			app + "email: position 0: loading module 'http': provision otp.senders.http: http header Authorization: " + isUnset},
		"http body of a missing variable": {caddyfileOf("", public+"email http https://mail.example.com {\n\tbody `{\"to\": \"{otp.to}\", \"key\": \""+unset+"\"}`\n}"),
			app + "email: position 0: loading module 'http': provision otp.senders.http: http body: " + isUnset},
		"http url of a missing variable": {caddyfileOf("", public+"email http "+unset),
			app + "email: position 0: loading module 'http': provision otp.senders.http: http: " + isUnset},
		"http url of a variable": {caddyfileOf("", public+mail+"sms_countries DE\nsms http {env.OTP_TEST_PLAIN}/{otp.text}"),
			app + "sms: position 0: loading module 'http': provision otp.senders.http: url http://app.example.com would send codes and tokens in the clear; write https://app.example.com (plain http is for hosts of this machine and of private networks)"},
		"http url of a variable that is none": {caddyfileOf("", public+"email http {env.OTP_TEST_SHORT}"),
			app + "email: position 0: loading module 'http': provision otp.senders.http: url can't be used; write one like https://api.example.com/messages"},
		"http url of a variable without the code": {caddyfileOf("", public+"email http {env.OTP_TEST_URL} {\n\tbody `{\"to\": \"{otp.to}\"}`\n}"),
			app + "email: position 0: loading module 'http': provision otp.senders.http: body brings no code to anybody; put {otp.text} into it, or {otp.code}, {otp.link} or {otp.html}"},

		"client secret of a variable": {caddyfileOf("", public+mail+"api auth0 {\n\tclient web {\n\t\tsecret {env.OTP_TEST_SHORT}\n\t}\n}"),
			app + "api auth0: client web: secret has 18 bytes; at least 32 are needed; make one with `openssl rand -base64 32`"},
		"client secret of a missing variable": {caddyfileOf("", public+mail+"api auth0 {\n\tclient web {\n\t\tsecret "+unset+"\n\t}\n}"),
			app + "api auth0: client web: secret: " + isUnset},
		"client type of a variable": {caddyfileOf("", public+mail+"api auth0 {\n\tclient web {\n\t\ttype {env.OTP_TEST_PLAIN}\n\t}\n}"),
			app + `client web: type: unknown "http://app.example.com"; write one of: regular, spa, native`},
		"jwt_key of no file": {caddyfileOf("", public+mail+"api auth0 {\n\tclient web {\n\t\tjwt_key /nonexistent/web.pem\n\t}\n}"),
			app + "api auth0: client web: jwt_key: open /nonexistent/web.pem: no such file or directory"},
		"jwt_key of a private key": {caddyfileOf("", public+mail+"api auth0 {\n\tclient web {\n\t\tjwt_key "+private+"\n\t}\n}"),
			app + "api auth0: client web: jwt_key: " + private + ": it holds a private key, which is the client's alone; make its public key with `openssl pkey -pubout`"},
		"jwt_key of a variable": {caddyfileOf("", public+mail+"api auth0 {\n\tclient web {\n\t\tjwt_key {env.OTP_TEST_PLAIN}\n\t}\n}"),
			app + "client web: jwt_key: url http://app.example.com would send keys to be trusted in the clear; write https://app.example.com (plain http is for hosts of this machine and of private networks)"},
		"algorithm of a variable": {caddyfileOf("", public+mail+"api auth0 {\n\tclient web {\n\t\talgorithm {env.OTP_TEST_HS256}\n\t}\n}"),
			app + "client web: algorithm HS256 signs with the client's secret; write `secret {env.NAME}` into its block, or remove it for RS256"},
		"audience of a blank variable": {caddyfileOf("", public+mail+"api auth0 {\n\tclient web {\n\t\taudience {env.OTP_TEST_BLANK}\n\t}\n}"),
			app + "api auth0: client web: audience has a blank value; write one, or remove it"},
		"connection without a sender": {caddyfileOf("", public+mail+"api auth0 {\n\tclient web\n\tconnection email sms\n}"),
			app + "api auth0: connection sms has no sender; write `sms <sender>`, or remove it"},
		"two clients by a variable": {caddyfileOf("", public+mail+"api auth0 {\n\tclient web\n\tclient {env.OTP_TEST_WEB}\n}"),
			app + "client web stands twice; put its options into one block"},
		"origin of a variable": {caddyfileOf("", public+mail+"api nestauth {\n\torigin {env.OTP_TEST_WEB}\n}"),
			app + `origin "web": it must begin with https:// or http://; write scheme and host, such as https://spa.example.com`},
		"allow of a missing variable": {caddyfileOf("", public+mail+"allow "+unset), app + "allow: " + isUnset},
		"allow of a blank variable": {caddyfileOf("", public+mail+"allow {env.OTP_TEST_BLANK}"),
			app + "allow has a blank value; write one, or remove it"},
		"allow of a variable": {caddyfileOf("", public+mail+"allow {env.OTP_TEST_WEB}"),
			app + `allow: "web" is neither *@example.com, *@*.example.com, an e-mail address nor +49*`},
		"deny of a missing file": {caddyfileOf("", public+mail+"deny {file./nonexistent/denied}"),
			app + "deny: {file./nonexistent/denied} can't be read: no such file or directory; put the value into /nonexistent/denied, where Caddy may read it"},
		"allow phones without sms": {caddyfileOf("", public+mail+"allow +49* +4915112345678"),
			app + "allow has phone numbers only and the site sends no SMS, so nobody could sign in; write `sms <sender>`, or allow e-mail addresses such as *@example.com"},
		"public without protect": {caddyfileOf("", public+mail+"public /assets"),
			app + "public has nothing to make an exception from, since nothing is protected; write `protect` (every path) or `protect <path>...`, or remove it"},
		"public without protect on one site of two": {caddyfileOf("public /assets\n"+mail, public+"public /css"),
			app + "public has nothing to make an exception from, since nothing is protected; write `protect` (every path) or `protect <path>...`, or remove it"},
		"protect of a blank variable": {caddyfileOf("", public+mail+"protect {env.OTP_TEST_BLANK}"),
			app + "protect has a blank value; write one, or remove it"},
		"protect of a variable": {caddyfileOf("", public+mail+"protect {env.OTP_TEST_WEB}"),
			app + `protect: "web" is no path; it must begin with a slash, such as /admin`},
		"path of a variable": {caddyfileOf("", public+mail+"path {env.OTP_TEST_WEB}"),
			app + `path "web": write a path in lower case without a slash at its end, such as /.otp`},
		"country of a variable": {caddyfileOf("", public+mail+"default_country {env.OTP_TEST_WEB}"),
			app + `country "web" is unknown; write ISO 3166 codes in capitals, such as DE or US`},
		"send of a variable": {caddyfileOf("", public+mail+"send {env.OTP_TEST_WEB}"),
			app + `send: unknown "web"; write one of: code, link, both`},

		"header of a missing variable": {caddyfileOf("", public+mail+"header "+unset+" user"), app + "header: " + isUnset},
		"header of a variable": {caddyfileOf("", public+mail+"header {env.OTP_TEST_PLAIN} user"),
			app + `header "http://app.example.com": it can't be the name of a header; write a name of your own, such as Remote-User`},
		"header of a variable that HTTP has": {caddyfileOf("", public+mail+"header {env.OTP_TEST_HOST} user"),
			app + `header "Host": it carries HTTP itself; write a name of your own, such as Remote-User`},
		"two headers by a variable": {caddyfileOf("", public+mail+"header WEB user\nheader {env.OTP_TEST_WEB} email"),
			app + `header web: another header has this name (some servers take its spellings for one); write each name once`},
		"an assertion and a header of one name": {caddyfileOf("header X-User user", public+mail+"assertion X_User"),
			app + `assertion X_User: another header has this name (some servers take its spellings for one); write each name once`},
		"value of a variable": {caddyfileOf("", public+mail+"header X-User {env.OTP_TEST_WEB}"),
			app + `header X-User: unknown "web"; write one of: user, email, phone, groups, subject, method, mfa`},

		"pages on the paths of an api": {caddyfileOf("", public+mail+"path /auth"),
			app + "path /auth is taken: api nestauth answers /auth/passwordless/send; write another one, such as /.otp"},
		"session domain of somebody else": {caddyfileOf("session {\n\tdomain example.org\n}", public+mail),
			app + `session domain "example.org": the site is app.example.com, which isn't below it; write a parent domain of the site, or leave it out`},
		"session domain that ends alike": {caddyfileOf("session {\n\tdomain example.com\n}", "public_url https://badexample.com\n"+mail),
			`site https://badexample.com: session domain "example.com": the site is badexample.com, which isn't below it; write a parent domain of the site, or leave it out`},
		"session domain below the site": {caddyfileOf("session {\n\tdomain deep.app.example.com\n}", public+mail),
			app + `session domain "deep.app.example.com": the site is app.example.com, which isn't below it; write a parent domain of the site, or leave it out`},
		"cookie prefix on plain http": {caddyfileOf("session {\n\tcookie __Secure-app\n}", "public_url http://localhost"),
			`site http://localhost: session cookie "__Secure-app": browsers take names with this prefix over https only; write a name without it`},
		"cookie prefix of a variable with a domain": {caddyfileOf("", public+mail+"session {\n\tdomain example.com\n\tcookie {env.OTP_TEST_COOKIE}\n}"),
			app + `session cookie "__Host-app": browsers take no domain with this prefix; leave ` + "`cookie` out or write __Secure-…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTP_TEST_SHORT", "hunter2 is a short")
			t.Setenv("OTP_TEST_HS256", "HS256")
			t.Setenv("OTP_TEST_URL", "https://api.example.com")
			t.Setenv("OTP_TEST_PLAIN", "http://app.example.com")
			t.Setenv("OTP_TEST_BLANK", "  ")
			t.Setenv("OTP_TEST_WEB", "web")
			t.Setenv("OTP_TEST_HOST", "Host")
			t.Setenv("OTP_TEST_COOKIE", "__Host-app")
			_, err := provision(t, jsonOf(t, c.config))
			switch {
			case err == nil:
				t.Fatalf("is taken:\n%s", c.config)
			case cause(err) != c.want:
				t.Errorf("\n%s\n%s\nnot\n%s", c.config, cause(err), c.want)
			case strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), testSecret):
				t.Errorf("holds a secret: %v", err)
			}
		})
	}
}

// TestProvisionRefusesJSON has what no Caddyfile leads to.
func TestProvisionRefusesJSON(t *testing.T) {
	const app = "site http://localhost: "
	for options, want := range map[string]string{
		`"code": {"length": 5}`:                                      `code length must be a whole number from 6 to 12, not 5`,
		`"code": {"attempts": -1}`:                                   `code attempts must be a whole number from 1 to 10, not -1`,
		`"code": {"keep": 4}`:                                        `code keep must be a whole number from 1 to 3, not 4`,
		`"code": {"lifetime": "11m"}`:                                `code lifetime must be from 1s to 10m, not 11m`,
		`"code": {"sms_lifetime": -1}`:                               `code sms_lifetime must be from 1s to 10m, not -1ns`,
		`"session": {"lifetime": "366d"}`:                            `session lifetime must be from 1s to 365d, not 366d`,
		`"session": {"idle": -5}`:                                    `session idle must be from 1s to 365d, not -5ns`,
		`"token": {"lifetime": "-1h"}`:                               `token lifetime must be from 1s to 365d, not -1h`,
		`"token": {"refresh": "400d"}`:                               `token refresh must be from 1s to 365d, not 400d`,
		`"throttles": [{"scope": "address"}]`:                        `throttle address: events must be a whole number from 1 to 1000000, not 0; throttles can't be turned off`,
		`"throttles": [{"scope": "address", "events": 1}]`:           `throttle address: the window must be from 1s to 30d, not 0s`,
		`"throttles": [{"events": 1, "window": "1m"}]`:               `throttle: unknown ""; write one of: address, client_ip, global`,
		`"apis": [{"name": "nestauth"}, {"name": "nestauth"}]`:       `api nestauth stands twice; put its options into one block`,
		`"apis": [{"name": "none"}, {"name": "nestauth"}]`:           "api none turns every API off; remove the other `api` lines, and its block",
		`"apis": [{"name": "auth0"}]`:                                "api auth0 needs a client; write `client <id>` into its block",
		`"apis": [{"name": "auth0", "clients": [{}]}]`:               "a client needs an id; write `client <id>`",
		`"apis": [{"name": "nestauth", "clients": [{"id": "web"}]}]`: `only api auth0 has clients; remove them`,
		`"apis": [{"name": "nestauth", "service": "portal"}]`:        `only api autional has a service; remove it`,
		`"apis": [{"name": "nestauth", "development": true}]`:        `only api autional has development; remove it`,
		`"apis": [{"name": "autional", "service": "a b"}]`:           `service "a b": write a name of up to 64 characters of ASCII without blanks, such as identity-service`,
		`"apis": [{"name": "auth0", "clients": [{"id": "a", "type": "spa", "secret": "hunter2 hunter2 hunter2 hunter2 hunter2"}]}]`: "client a: type spa can't keep a secret; remove the secret or write `type regular`",
		`"apis": [{"name": "auth0", "clients": [{"id": "a", "type": "regular"}]}]`:                                                  "client a: type regular needs a secret; write `secret {env.NAME}` into its block, or `jwt_key <pem file or jwks url>`",
		`"apis": [{"name": "auth0", "clients": [{"id": "a", "type": "spa", "jwt_key": "a.pem"}]}]`:                                  "client a: type spa can't keep a private key; remove the jwt_key or write `type regular`",
		`"apis": [{"name": "auth0", "clients": [{"id": "a", "grants": ["password"]}]}]`:                                             `client a: grant: unknown "password"; write one of: otp, refresh, code, implicit`,
		`"apis": [{"name": "auth0", "clients": [{"id": "a", "audiences": [""]}]}]`:                                                  `api auth0: client a: audience has a blank value; write one, or remove it`,
		`"apis": [{"name": "auth0", "clients": [{"id": "a", "logouts": ["bye"]}]}]`:                                                 `client a: logout "bye": write a whole address, such as https://app.example.com/bye or com.example.app://bye`,
		`"apis": [{"name": "auth0", "clients": [{"id": "a", "trust_forwarded_for": true}]}]`:                                        "client a: trust_forwarded_for would let anybody choose the address that limits count by; give the client a secret or a jwt_key, or remove it",
		`"apis": [{"name": "auth0", "clients": [{"id": "a"}], "connections": ["github"]}]`:                                          `connection: unknown "github"; write one of: email, sms`,
		`"apis": [{"name": "auth0", "clients": [{"id": "a"}], "default_audience": "a b"}]`:                                          `default_audience: "a b" can't be an audience; write how the API names itself, without blanks, such as https://api.example.com`,
		`"apis": [{"name": "nestauth", "connections": ["email"]}]`:                                                                  `only api auth0 has connections and a default audience; remove them`,
		`"allow": [""]`:                                       `allow has a blank value; write one, or remove it`,
		`"protect": [{"paths": [""]}]`:                        `protect has a blank value; write one, or remove it`,
		`"protect": [{"paths": ["/"]}], "public": ["assets"]`: `public: "assets" is no path; it must begin with a slash, such as /admin`,
		`"send": "email"`:                                     `send: unknown "email"; write one of: code, link, both`,
		`"default_country": "x"`:                              `country "x" is unknown; write ISO 3166 codes in capitals, such as DE or US`,
		`"path": "/.otp/"`:                                    `path "/.otp/": write a path in lower case without a slash at its end, such as /.otp`,
		`"apis": [{"name": "auth0", "clients": [{"id": "a", "secret": "hunter2"}]}]`: "api auth0: client a: secret has 7 bytes; at least 32 are needed; make one with `openssl rand -base64 32`",
		`"session": {"idle": "8d"}`:                                `session idle 8d is longer than the lifetime (7d, the default); write a shorter idle or a longer lifetime`,
		`"session": {"idle": "2h", "lifetime": "1h"}`:              `session idle 2h is longer than the lifetime (1h); write a shorter idle or a longer lifetime`,
		`"protect": [{"paths": ["/x"]}], "public": ["/x/"]`:        `/x/ is in both protect and public; keep one`,
		`"public": ["/x"]`:                                         "public has nothing to make an exception from, since nothing is protected; write `protect` (every path) or `protect <path>...`, or remove it",
		`"allow": ["*@example.com", "group:staff"]`:                "allow names a group, and nothing says who is in it; write `directory file <path>` or `directory http <url>`",
		`"deny": ["group:left"]`:                                   "deny names a group, and nothing says who is in it; write `directory file <path>` or `directory http <url>`",
		`"protect": [{"paths": ["/admin"], "groups": ["admins"]}]`: "protect names a group, and nothing says who is in it; write `directory file <path>` or `directory http <url>`",
		`"protect": [{"paths": ["/admin"], "groups": ["a b"]}]`:    `protect: "a b" can't be a group; write 1 to 64 characters without blanks, commas and semicolons`,
		`"protect": [{"groups": ["admins"]}]`:                      "protect has groups and no path; write `protect / group:…` for every path",
		`"allow": ["+49*"]`:                                        "allow has phone numbers only and the site sends no SMS, so nobody could sign in; write `sms <sender>`, or allow e-mail addresses such as *@example.com",
		`"sms": [{"sender": "smtp", "host": "mail.example.com", "from": "login@example.com"}], "sms_countries": ["DE"]`: "sms: smtp delivers e-mails only; `sms http <url>` fits any provider",
		`"email": [{"sender": "smtp", "host": "mail.example.com", "from": "login@example.com", "username": "alice"}]`:   `email: position 0: loading module 'smtp': provision otp.senders.smtp: smtp needs both username and password, or neither`,
		`"email": [{"sender": "http", "url": "https://mail.example.com/{otp.password}"}]`:                               `email: position 0: loading module 'http': provision otp.senders.http: url: unknown placeholder; there are {otp.code}, {otp.html}, {otp.id}, {otp.link}, {otp.locale}, {otp.subject}, {otp.text}, {otp.to}`,
		`"email": [{"sender": "http", "url": "http://alice:hunter2@mail.example.com"}]`:                                 `email: position 0: loading module 'http': provision otp.senders.http: url http://mail.example.com would send codes and tokens in the clear; write https://mail.example.com (plain http is for hosts of this machine and of private networks)`,
		`"email": [{"sender": "http", "url": "https://mail.example.com", "method": "GET", "body": "{otp.text}"}]`:       `email: position 0: loading module 'http': provision otp.senders.http: a GET has no body; write method POST`,
		`"email": [{"sender": "smtp", "host": "mail.example.com"}]`:                                                     `email: position 0: loading module 'smtp': provision otp.senders.smtp: from "" is no e-mail address; write one like login@example.com or "Acme <login@example.com>"`,
		`"email": [{"sender": "file"}]`: `email: position 0: loading module 'file': provision otp.senders.file: "" is no file; write the path of the file that messages are appended to`,
	} {
		t.Run(options, func(t *testing.T) {
			config := `{"apps": {"http": {"servers": {"a": {"listen": ["127.0.0.1:0"], "routes": [{"handle": [{"handler": "otp", "public_url": "http://localhost", ` + options + `}]}]}}}}}`
			_, err := provision(t, isolated(t, []byte(config)))
			switch {
			case err == nil:
				t.Fatal("is taken")
			case cause(err) != app+want:
				t.Errorf("\n%s\nnot\n%s", cause(err), app+want)
			case strings.Contains(err.Error(), "hunter2"):
				t.Errorf("holds a secret: %v", err)
			}
		})
	}
	for config, want := range map[string]string{
		`{"realm": "staff"}`:          `unknown field "realm"`,
		`{"code": {"alphabet": "x"}}`: `unknown field "alphabet"`,
		`{"store": {"store": "x"}}`:   `unknown module: otp.stores.x`,
		`{"store": {"store": "redis", "urls": ["redis://localhost"], "timeout": "1m"}}`:     `store redis timeout must be from 10ms to 10s, not 1m0s`,
		`{"store": {"store": "redis", "urls": ["redis://localhost"], "key_prefix": "a b"}}`: `key prefix "a b" must be printable ASCII`,
		`{"store": {"store": "redis", "urls": ["redis://localhost"], "pool_size": 1}}`:      `store redis pool_size must be a whole number from 2 to 1000, not 1`,
		`{"store": {"store": "redis"}}`:                                            `redis: there is no URL; write one like redis://localhost:6379`,
		`{"store": {"store": "redis", "urls": ["rediss://localhost"], "tls": {}}}`: `store redis: tls has nothing in it`,
	} {
		t.Run(config, func(t *testing.T) {
			_, err := provision(t, isolated(t, []byte(`{"apps": {"otp": `+config+`}}`)))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, not %s", err, want)
			}
		})
	}
}

// TestRedisStoreOptions: configurations share a store when they name the same
// servers, database and keys, whatever else they say.
func TestRedisStoreOptions(t *testing.T) {
	t.Setenv("OTP_TEST_URLS", "redis://a redis://b:6379")
	seen := make(map[string]int)
	for _, test := range []struct {
		resource int
		store    RedisStore
	}{
		{1, RedisStore{URLs: []string{"redis://a"}}},
		{2, RedisStore{URLs: []string{"redis://a/1"}}},
		{3, RedisStore{URLs: []string{"redis://a"}, KeyPrefix: "staff:"}},
		{1, RedisStore{URLs: []string{"redis://a"}, KeyPrefix: "otp:"}},
		{1, RedisStore{URLs: []string{"redis://a"}, Timeout: caddy.Duration(time.Second)}},
		{1, RedisStore{URLs: []string{"redis://u:p@a:6379/0"}}},
		{1, RedisStore{URLs: []string{"rediss://a"}, Password: "other", PoolSize: 20, AnyEvictionPolicy: true}},
		{4, RedisStore{URLs: []string{"redis://a", "redis://b"}}},
		{4, RedisStore{URLs: []string{"redis://b", "redis://a"}}},
		{4, RedisStore{URLs: []string{"{env.OTP_TEST_URLS}"}}},
		{5, RedisStore{URLs: []string{"redis://a", "redis://b"}, Sentinel: "one"}},
		{6, RedisStore{URLs: []string{"redis://a", "redis://b"}, Sentinel: "two", Username: "u", Password: "p"}},
	} {
		s := test.store
		if err := s.Provision(caddy.Context{}); err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		if before, is := seen[s.Identity()]; is && before != test.resource {
			t.Errorf("%+v shares the store of resource %d", s, before)
		} else if !is && slices.Contains(slices.Collect(maps.Values(seen)), test.resource) {
			t.Errorf("%+v doesn't share the store of resource %d", s, test.resource)
		}
		seen[s.Identity()] = test.resource
		if want := cmp.Or(time.Duration(s.Timeout), 250*time.Millisecond); s.Patience() != want {
			t.Errorf("%+v waits %s", s, s.Patience())
		}
		if strings.Contains(s.Identity(), "other") {
			t.Errorf("%s holds the password", s.Identity())
		}
	}
}

// TestValidateWritesNothing runs what `caddy validate` runs.
func TestValidateWritesNothing(t *testing.T) {
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	t.Chdir(data)
	for name, config := range map[string]string{
		"the default store": caddyfileOf("", "public_url http://localhost\nemail file codes.jsonl"),
		"a named store":     caddyfileOf("store bolt otp/otp.db", "public_url http://localhost"),
		"redis":             caddyfileOf(`store redis redis://127.0.0.1:1`+"\nsecret \""+testSecret+`"`, "public_url http://localhost"),
	} {
		t.Run(name, func(t *testing.T) {
			var c caddy.Config
			if err := json.Unmarshal(jsonOf(t, config), &c); err != nil {
				t.Fatal(err)
			}
			if err := caddy.Validate(&c); err != nil {
				t.Fatal(err)
			}
			left, err := os.ReadDir(data)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range left {
				t.Errorf("%s was made", entry.Name())
			}
			stores.Range(func(key, _ any) bool {
				t.Errorf("%v is still in the pool", key)
				return true
			})
		})
	}
}
