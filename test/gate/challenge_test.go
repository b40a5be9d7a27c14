// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestChallengeOfEachClient asks for a protected page as each kind of client
// does, without a session: what they get is what they understand.
func TestChallengeOfEachClient(t *testing.T) {
	site.SkipShort(t)
	r := site.New(t, "store bolt otp.db", site.APIs+site.Roomy+"\n\t\tprotect /private")
	const here = "/private/page?x=1&y=a%2Fb"
	login := "/.otp/login?return_to=%2Fprivate%2Fpage%3Fx%3D1%26y%3Da%252Fb"
	for _, row := range []struct {
		client, method string
		headers        string // by lines
		answer         string
		app            bool
	}{
		{"a browser that navigates", "GET", "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: document\nAccept: text/html,*/*;q=0.8", "303 " + login, false},
		{"a browser without Fetch metadata", "GET", "Accept: text/html,application/xhtml+xml,*/*;q=0.8", "303 " + login, false},
		{"fetch()", "GET", "Sec-Fetch-Mode: cors\nSec-Fetch-Dest: empty\nAccept: */*", "401 problem " + login, false},
		{"fetch() that claims to want HTML", "GET", "Sec-Fetch-Mode: same-origin\nAccept: text/html", "401 problem " + login, false},
		{"XMLHttpRequest", "POST", "X-Requested-With: XMLHttpRequest\nAccept: application/json\nContent-Type: application/json", "401 problem /.otp/login?return_to=%2F", false},
		{"an image", "GET", "Sec-Fetch-Mode: no-cors\nSec-Fetch-Dest: image", "401 problem " + login, false},
		{"a preflight", "OPTIONS", "Origin: https://spa.example.com\nAccess-Control-Request-Method: PUT\nX-HTTP-Method-Override: DELETE", "200 app", true},
		{"OPTIONS that is no preflight", "OPTIONS", "Origin: https://spa.example.com", "401 problem /.otp/login?return_to=%2F", false},
		{"a websocket", "GET", "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\nSec-Fetch-Mode: websocket", "401 problem " + login, false},
		{"an upgrade that claims to navigate", "GET", "Connection: Upgrade\nUpgrade: echo\nSec-Fetch-Mode: navigate", "401 problem " + login, false},
		{"an event stream", "GET", "Accept: text/event-stream\nSec-Fetch-Mode: cors", "401 problem " + login, false},
		{"gRPC", "POST", "Content-Type: application/grpc+proto\nTE: trailers", "200 grpc-status 16", false},
		{"gRPC-Web", "POST", "Content-Type: application/grpc-web+proto\nSec-Fetch-Mode: cors", "200 grpc-status 16", false},
		{"htmx", "GET", "HX-Request: true\nSec-Fetch-Mode: cors\nAccept: */*", "401 hx-redirect " + login, false},
		{"curl", "GET", "Accept: */*\nUser-Agent: curl/8.5.0", "401 problem " + login, false},
		{"a program that says nothing", "GET", "", "401 problem " + login, false},
		{"HEAD of a browser", "HEAD", "Accept: text/html", "303 " + login, false},
		{"expecting to continue", "POST", "Expect: 100-continue\nContent-Length: 5", "401 problem /.otp/login?return_to=%2F", false},
		{"who names another path", "GET", "X-Forwarded-Uri: /public\nX-Original-URL: /public\nX-Rewrite-URL: /public\nAccept: */*", "401 problem " + login, false},
	} {
		headers := row.headers
		if headers != "" {
			headers += "\n"
		}
		raw := r.Raw(fmt.Sprintf("%s %s HTTP/1.1\nHost: HOST\n%sConnection: close\n\n", row.method, here, headers))
		got := summary(raw, r.URL)
		t.Logf("%-36s %-7s -> %s", row.client, row.method, got)
		if got != row.answer || strings.Contains(raw, "X-App: yes") != row.app {
			t.Errorf("%s: got %s, want %s\n%s", row.client, got, row.answer, raw)
		}
		if row.client == "a preflight" && strings.Contains(raw, "Override") {
			t.Errorf("an override reaches the app:\n%s", raw)
		}
	}
}

// summary says in short what an answer tells its client.
func summary(raw, url string) string {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	status, _, _ := strings.Cut(strings.TrimPrefix(head, "HTTP/1.1 "), " ")
	header := make(http.Header)
	for line := range strings.SplitSeq(head, "\r\n") {
		if name, value, found := strings.Cut(line, ": "); found {
			header.Add(name, value)
		}
	}
	switch {
	case header.Get("X-App") != "":
		return status + " app"
	case header.Get("Location") != "":
		return status + " " + header.Get("Location")
	case header.Get("Grpc-Status") != "":
		return status + " grpc-status " + header.Get("Grpc-Status")
	case header.Get("Hx-Redirect") != "":
		return status + " hx-redirect " + header.Get("Hx-Redirect")
	case strings.HasPrefix(header.Get("Content-Type"), "application/problem+json"):
		_, login, _ := strings.Cut(body, `"login_url":"`+url)
		login, _, _ = strings.Cut(login, `"`)
		return status + " problem " + login
	}
	return status
}
