// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// pathTrick is a request that some server behind may take for one of /admin.
type pathTrick struct {
	name string
	// line is the request's first line; without a version it is HTTP/1.1's.
	line string
	// head are further headers.
	head string
}

// pathTricks are all against /admin, some by way of /assets.
var pathTricks = []pathTrick{
	{name: "itself", line: "GET /admin"},
	{name: "below", line: "GET /admin/users"},
	{name: "slash at the end", line: "GET /admin/"},
	{name: "two slashes", line: "GET //admin"},
	{name: "three slashes", line: "GET ///admin"},
	{name: "slashes within", line: "GET /admin//users"},
	{name: "dot segment", line: "GET /./admin"},
	{name: "dot at the end", line: "GET /admin/."},
	{name: "parent", line: "GET /x/../admin"},
	{name: "above the root", line: "GET /../admin"},
	{name: "parent of the public", line: "GET /assets/../admin"},
	{name: "encoded dots", line: "GET /assets/%2e%2e/admin"},
	{name: "one encoded dot", line: "GET /assets/.%2E/admin"},
	{name: "encoded letter", line: "GET /%61dmin"},
	{name: "all encoded", line: "GET /%61%64%6d%69%6e"},
	{name: "encoded slash at the end", line: "GET /admin%2f"},
	{name: "encoded slash below", line: "GET /admin%2Fusers"},
	{name: "encoded slash at the beginning", line: "GET /%2fadmin"},
	{name: "encoded slashes from the public", line: "GET /assets/..%2fadmin"},
	{name: "all slashes encoded", line: "GET /assets%2f..%2fadmin"},
	{name: "encoded twice", line: "GET /%2561dmin"},
	{name: "encoded thrice", line: "GET /%252561dmin"},
	{name: "dots encoded twice", line: "GET /assets/%252e%252e/admin"},
	{name: "slashes encoded twice", line: "GET /assets%252f..%252fadmin"},
	{name: "upper case", line: "GET /ADMIN"},
	{name: "mixed case", line: "GET /aDmIn/users"},
	{name: "Kelvin's cousin", line: "GET /adm%C4%B1n/../admin"},
	{name: "parameter", line: "GET /admin;x=1"},
	{name: "parameter below", line: "GET /admin;x=1/users"},
	{name: "parameter in the public", line: "GET /assets;/../admin"},
	{name: "parent with a parameter", line: "GET /assets/..;/admin"},
	{name: "encoded parameter", line: "GET /admin%3bx"},
	{name: "NUL", line: "GET /admin%00"},
	{name: "NUL and the public", line: "GET /admin%00/../assets/x"},
	{name: "line feed", line: "GET /admin%0a"},
	{name: "carriage return and line feed", line: "GET /admin%0d%0aX:y"},
	{name: "tab", line: "GET /admin%09"},
	{name: "DEL", line: "GET /admin%7f"},
	{name: "backslash", line: `GET \admin`},
	{name: "backslashes in the public", line: `GET /assets\..\admin`},
	{name: "encoded backslashes", line: "GET /assets/..%5cadmin"},
	{name: "encoded backslash first", line: "GET /%5cadmin"},
	{name: "blank at the end", line: "GET /admin%20"},
	{name: "blank within", line: "GET /admin%20/users"},
	{name: "dot behind", line: "GET /admin."},
	{name: "dots and blanks behind", line: "GET /admin.%20./users"},
	{name: "blanks around the parent", line: "GET /assets/..%20/admin"},
	{name: "fullwidth slash", line: "GET /assets/..%ef%bc%8fadmin"},
	{name: "fullwidth slash first", line: "GET /%ef%bc%8fadmin"},
	{name: "fullwidth slash as it is", line: "GET /\uff0fadmin"},
	{name: "fullwidth dots", line: "GET /assets/%ef%bc%8e%ef%bc%8e/admin"},
	{name: "overlong slash", line: "GET /assets/..%c0%afadmin"},
	{name: "overlong dots", line: "GET /assets/%c0%ae%c0%ae/admin"},
	{name: "fragment", line: "GET /admin#/../assets/x"},
	{name: "encoded fragment", line: "GET /admin%23"},
	{name: "encoded query", line: "GET /admin%3f/../assets/x"},
	{name: "query that looks public", line: "GET /admin?/assets/x"},
	{name: "query with a path", line: "GET /admin?url=/assets/x&path=/assets"},
	{name: "nothing but a query", line: "GET ?/admin"},
	{name: "absolute form", line: "GET http://HOST/admin"},
	{name: "absolute form of another host", line: "GET http://assets.example/admin"},
	{name: "absolute form without a host", line: "GET http:///admin"},
	{name: "absolute form without slashes", line: "GET http:admin"},
	{name: "absolute form with a user", line: "GET http://assets@HOST/admin"},
	{name: "absolute form with a parent", line: "GET http://HOST/assets/../admin"},
	{name: "no slash", line: "GET admin"},
	{name: "asterisk", line: "GET *"},
	{name: "options of all", line: "OPTIONS *"},
	{name: "authority form", line: "CONNECT HOST"},
	{name: "connect to a path", line: "CONNECT /admin"},
	{name: "HTTP/1.0", line: "GET /admin HTTP/1.0"},
	{name: "HTTP/1.0 without a host", line: "GET /admin HTTP/1.0", head: "Host:\n"},
	{name: "HTTP/0.9", line: "GET /admin HTTP/0.9"},
	{name: "two blanks", line: "GET  /admin HTTP/1.1"},
	{name: "a path behind the version", line: "GET /admin HTTP/1.1 /assets/x"},
	{name: "lower-case method", line: "get /admin"},
	{name: "unknown method", line: "FOO /admin"},
	{name: "HEAD", line: "HEAD /admin"},
	{name: "OPTIONS", line: "OPTIONS /admin"},
	{name: "TRACE", line: "TRACE /admin"},
	{name: "POST", line: "POST /admin", head: "Content-Length: 0\n"},
	{name: "method override", line: "POST /admin", head: "X-HTTP-Method-Override: OPTIONS\nContent-Length: 0\n"},
	{name: "preflight without an origin", line: "OPTIONS /admin", head: "Access-Control-Request-Method: GET\n"},
	{name: "preflight that upgrades", line: "OPTIONS /admin", head: "Origin: https://x.example\nAccess-Control-Request-Method: GET\nUpgrade: echo\nConnection: Upgrade\n"},
	{name: "upgrade", line: "GET /admin", head: "Upgrade: echo\nConnection: Upgrade\n"},
	{name: "another HTTP", line: "GET /admin", head: "Upgrade: h2c\nConnection: Upgrade, HTTP2-Settings\nHTTP2-Settings: AAMAAABkAAQAAP__\n"},
	{name: "expecting to continue", line: "POST /admin", head: "Expect: 100-continue\nContent-Length: 0\n"},
	{name: "forwarded as public", line: "GET /admin", head: "X-Forwarded-Uri: /assets/x\nX-Forwarded-Path: /assets/x\nX-Forwarded-Prefix: /assets\n"},
	{name: "original URL that is public", line: "GET /admin", head: "X-Original-URL: /assets/x\nX-Original-URI: /assets/x\nX-Rewrite-URL: /assets/x\n"},
	{name: "original URL from the public", line: "GET /assets/x", head: "X-Original-URL: /admin\n"},
	{name: "an encoding of encodings", line: "GET /assets/%" + strings.Repeat("25", 7_000) + "2e./admin"},
	{name: "rewritten URL from the public", line: "GET /assets/x", head: "X-Rewrite-URL: /admin\n"},
	{name: "forwarded by this machine", line: "GET /admin", head: "X-Forwarded-For: 127.0.0.1\nX-Real-IP: 127.0.0.1\nForwarded: for=127.0.0.1;host=localhost\n"},
	{name: "another host's name", line: "GET /admin", head: "X-Forwarded-Host: assets.example\nX-Host: assets.example\n"},
	{name: "claims to be signed in", line: "GET /admin", head: "Remote-User: admin@example.com\nRemote_User: admin@example.com\nX-Remote-User: admin\n"},
	{name: "a second request in the body", line: "POST /admin", head: "Content-Length: 44\nTransfer-Encoding: chunked\n\n0\n\nGET /admin HTTP/1.1\nHost: HOST\n"},
	{name: "an obs-fold header", line: "GET /admin", head: "X-Original-URL:\n /assets/x\n"},
}

// raw is the request with further headers.
func (p pathTrick) raw(headers string) string {
	line := p.line
	if !strings.Contains(line, "HTTP/") {
		line += " HTTP/1.1"
	}
	host := "Host: HOST\n"
	if strings.HasPrefix(p.head, "Host:") {
		host = ""
	}
	return line + "\n" + host + headers + "Connection: close\n" + p.head + "\n"
}

// reached reports whether the app has answered, in whatever of the answers.
func reached(answer string) bool {
	return strings.Contains(answer, "X-App: yes") || strings.Contains(answer, "101 Switching Protocols")
}

// TestPathTricks makes every trick against every way of keeping /admin closed,
// of nobody and of somebody whose session has no second factor: none reaches
// the app without what the path needs. Paths with an encoded slash work for
// those who have it.
func TestPathTricks(t *testing.T) {
	site.SkipShort(t)
	distinct := make(map[string]bool)
	for _, trick := range pathTricks {
		distinct[trick.line+"\n"+trick.head] = true
	}
	if len(distinct) != len(pathTricks) || len(distinct) < 40 {
		t.Fatalf("%d of %d tricks are distinct", len(distinct), len(pathTricks))
	}
	statuses := make(map[string]int)
	for _, config := range []struct {
		name, options string
		// factor says that a session isn't enough.
		factor bool
		// public is open, and closed an honest path that isn't.
		public, closed string
	}{
		{name: "protect /admin", options: "protect /admin", public: "/assets/x", closed: "/admin/users"},
		{name: "protect, public /assets", options: "protect\n\t\tpublic /assets", public: "/assets/x", closed: "/files/x"},
		{name: "require_mfa /admin", options: "require_mfa /admin", factor: true, public: "/assets/x", closed: "/admin/users"},
	} {
		t.Run(config.name, func(t *testing.T) {
			r := site.New(t, "store bolt otp.db", site.Roomy+"\n\t\t"+config.options)
			nobody, session := "", signInByPage(r, "path@example.com").cookies(t)
			visitors := map[string]string{"nobody": nobody}
			if config.factor {
				visitors["without the second factor"] = session
			}
			for who, headers := range visitors {
				for _, trick := range pathTricks {
					answer := r.Raw(trick.raw(headers))
					_, status, _ := strings.Cut(answer, " ")
					statuses[status[:min(3, len(status))]]++
					if reached(answer) {
						t.Errorf("%s, %s: %s reaches the app:\n%s", who, trick.name, trick.line, answer)
					}
				}
			}
			// What is open stays so, and what is closed isn't for ever.
			if answer := r.Raw(pathTrick{line: "GET " + config.public}.raw(nobody)); !reached(answer) {
				t.Errorf("nobody at a public path:\n%s", answer)
			}
			entitled := session
			if config.factor {
				visitor := signInByPage(r, "factor@example.com")
				visitor.elevate("factor@example.com", "/admin/users")
				entitled = visitor.cookies(t)
			}
			for _, path := range []string{config.closed, "/admin", "/admin/a%2Fb"} {
				if answer := r.Raw(pathTrick{line: "GET " + path}.raw(entitled)); !reached(answer) || !strings.Contains(answer, "GET "+path+" HTTP/1.1\r\n") {
					t.Errorf("who may doesn't get %s as it is:\n%s", path, answer)
				}
			}
			for _, path := range []string{"/files/a%2Fb", "/files/a%2fb/c%2Fd", "/projects/group%2Fname/raw"} {
				if answer := r.Raw(pathTrick{line: "GET " + path}.raw(session)); !reached(answer) || !strings.Contains(answer, "GET "+path+" HTTP/1.1\r\n") {
					t.Errorf("the signed in don't get %s as it is:\n%s", path, answer)
				}
				if answer := r.Raw(pathTrick{line: "GET " + path}.raw(nobody)); reached(answer) {
					t.Errorf("nobody gets %s:\n%s", path, answer)
				}
			}
		})
	}
	t.Logf("%d tricks, answered %v", len(pathTricks), statuses)
}
