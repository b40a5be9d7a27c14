// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-otp/caddy-otp/otp"
)

// jane is a session of somebody of whom everything is known.
func jane(t testing.TB) otp.Session {
	t.Helper()
	mail, err := otp.ParseEmail("jane@example.com")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	return otp.Session{
		ID: otp.SessionID("07" + strings.Repeat("a", 43)), Subject: "subject-of-jane", Address: mail, Method: otp.ByLink, Dialect: "portal",
		MFA: now, MFAMethod: "sms", Created: now, Since: now, Expires: now.Add(time.Hour),
	}
}

// served is a running site of which requests can be made.
type served struct {
	t       *testing.T
	handler *Handler
	socket  string
}

// serve runs a site of lines for its otp block and of others beside it. It
// listens on a socket and writes its access log to a file, if that has a name.
func serve(t *testing.T, options, others, accessLog string) *served {
	t.Helper()
	c := run(t)
	caddyfile := "{\n\tauto_https off\n}\nhttp://sitea.localhost:8080 {\n\totp {\n" + indent(2, options) + "\n\t}\n" + others + "\n}\n"
	var config map[string]any
	if err := json.Unmarshal(c.withoutListeners(caddyfile), &config); err != nil {
		t.Fatal(err)
	}
	server := config["apps"].(map[string]any)["http"].(map[string]any)["servers"].(map[string]any)["srv0"].(map[string]any)
	if accessLog != "" {
		server["logs"] = map[string]any{}
		config["logging"].(map[string]any)["logs"].(map[string]any)["access"] = map[string]any{
			"writer": map[string]any{"output": "file", "filename": accessLog}, "include": []string{"http.log.access"},
		}
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(text, true); err != nil {
		t.Fatal(err)
	}
	app, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		t.Fatal(err)
	}
	handlers := handlersOf(app.(*caddyhttp.App).Servers["srv0"].Routes)
	listen := server["listen"].([]any)[0].(string)
	return &served{t, handlers[0], strings.TrimPrefix(listen, "unix/")}
}

// get makes a request with headers in pairs of name and value; with "Cookie",
// "jane" of jane's.
func (s *served) get(path string, headers ...string) (int, string) {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://sitea.localhost:8080"+path, nil)
	r.RequestURI = ""
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = []string{headers[i+1]}
	}
	if r.Header.Get("Cookie") == "jane" {
		cookie := s.handler.site.Gate.Cookie
		r.Header.Set("Cookie", cookie.Name+"="+cookie.Sealed.Seal(jane(s.t), time.Now()))
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.socket)
	}}}
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// TestUserPlaceholders asks other directives who makes a request.
func TestUserPlaceholders(t *testing.T) {
	const all = "{http.auth.user.id} {http.auth.user.user} {http.auth.user.email} {http.auth.user.phone} {http.auth.user.groups} " +
		"{http.auth.user.subject} {http.auth.user.method} {http.auth.user.mfa}"
	const asJane = "subject-of-jane jane@example.com jane@example.com   subject-of-jane link sms"
	log := filepath.Join(t.TempDir(), "access.log")
	s := serve(t, loopback, `
	request_header X-Who {http.auth.user.email}
	request_header X-Unknown {http.auth.user.session}
	basic_auth /basic {
		bob $2a$04$l3tZoj13pLbUSNjg7BK2ye2oMXW0hRuPqgEpH/oM0cHkuxzPWT5wK
	}
	handle_errors {
		respond "error for {http.auth.user.id}"
	}
	error /error 418
	respond "`+all+` by {http.request.header.X-Who} {http.request.header.X-Unknown}"
`, log)
	const asBob = "Basic Ym9iOmhpY2N1cA=="
	for _, tc := range []struct {
		name, path string
		headers    []string
		want       string
	}{
		{"nobody", "/", nil, "        by  {http.auth.user.session}"},
		{"somebody", "/", []string{"Cookie", "jane"}, asJane + " by jane@example.com {http.auth.user.session}"},
		{"a client that says so", "/", []string{"Http.auth.user.id", "x", "X-Who", "x", "Remote-User", "x"}, "        by  {http.auth.user.session}"},
		{"a query that says so", "/?http.auth.user.id=x&id=x", nil, "        by  {http.auth.user.session}"},
		{"nobody, at an error", "/error", nil, "error for "},
		{"somebody, at an error", "/error", []string{"Cookie", "jane"}, "error for subject-of-jane"},
		{"bob behind us", "/basic", []string{"Authorization", asBob}, "bob        by  {http.auth.user.session}"},
		{"bob behind us with jane's cookie", "/basic", []string{"Authorization", asBob, "Cookie", "jane"},
			strings.Replace(asJane, "subject-of-jane", "bob", 1) + " by jane@example.com {http.auth.user.session}"},
	} {
		if _, body := s.get(tc.path, tc.headers...); body != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, body, tc.want)
		}
	}
	text := readFile(t, log)
	var users []string
	for line := range strings.Lines(text) {
		var entry struct {
			UserID *string `json:"user_id"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		users = append(users, fmt.Sprint(*entry.UserID))
	}
	if got := strings.Join(users, "|"); got != "|subject-of-jane||||subject-of-jane|bob|bob" {
		t.Errorf("the log has the users %s", got)
	}
	if strings.Contains(text, "jane@example.com") {
		t.Errorf("the log has an address:\n%s", text)
	}
}

// TestUserAfterAnother: who was known before the login isn't mixed with who is
// signed in.
func TestUserAfterAnother(t *testing.T) {
	signedIn := new(jane(t))
	for _, tc := range []struct {
		session   *otp.Session
		id, email string
	}{
		{signedIn, "subject-of-jane", "jane@example.com"},
		{nil, "bob", "bob@example.com"},
	} {
		repl := caddy.NewReplacer()
		repl.Set("http.auth.user.id", "bob")
		repl.Set("http.auth.user.email", "bob@example.com")
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		setUser(r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl)), tc.session)
		if got := repl.ReplaceAll("{http.auth.user.id} {http.auth.user.email} {http.auth.user.phone}", "-"); got != tc.id+" "+tc.email+" -" {
			t.Errorf("%q", got)
		}
	}
	setUser(httptest.NewRequest(http.MethodGet, "/", nil), signedIn) // not Caddy's request
}

// TestNobodyAllocations: a request of nobody gets its placeholders for nothing.
func TestNobodyAllocations(t *testing.T) {
	least := math.Inf(1)
	for range 5 { // what else the process does is counted too
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		repl := caddy.NewReplacer()
		for range 7 { // so that its list has room
			repl.Map(nobody)
		}
		r = r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl))
		least = min(least, testing.AllocsPerRun(1, func() { setUser(r, nil) }))
	}
	if least != 0 {
		t.Errorf("%v allocations", least)
	}
}

// TestRemoteUserOfPHP asks a FastCGI responder for what PHP would see.
func TestRemoteUserOfPHP(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "php")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go fcgi.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		env := fcgi.ProcessEnv(r)
		_, _ = fmt.Fprintf(w, "%s|%s|%s", env["REMOTE_USER"], env["AUTH_TYPE"], r.Header.Get("Remote-User"))
	}))
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "index.php"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, loopback, "root "+root+"\nphp_fastcgi unix/"+socket, "")
	for _, tc := range []struct {
		headers []string
		want    string
	}{
		{nil, "||"},
		{[]string{"Remote-User", "admin"}, "||"},
		{[]string{"Cookie", "jane"}, "subject-of-jane||jane@example.com"},
	} {
		if _, body := s.get("/page", tc.headers...); body != tc.want {
			t.Errorf("%q: %q, want %q", tc.headers, body, tc.want)
		}
	}
}
