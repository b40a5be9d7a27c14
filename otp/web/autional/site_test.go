// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp/web/portal"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

const (
	alice = "alice@example.com"
	phone = "+8613800138000"

	linkPath = webtest.PagesPath + "/link?token="
)

// newSite runs a site with the dialect, exclusive unless edit says otherwise.
func newSite(t testing.TB, o webtest.Options, edit ...func(*Config)) *site {
	t.Helper()
	return &site{webtest.New(t, o, func(s *webtest.Site) wire.API {
		c := Config{
			Dialect:   s.Dialect(),
			PagesPath: webtest.PagesPath,
			LinkPath:  linkPath,
			ShowPage:  portal.Show("app.example.com"),
		}
		for _, e := range edit {
			e(&c)
		}
		return New(c)
	})}
}

func shared(c *Config) { c.Exclusive = false }

type site struct{ *webtest.Site }

func (s *site) in(t testing.TB) *site { return &site{s.In(t)} }

func (s *site) send(email string, headers ...string) webtest.Answer {
	s.Helper()
	return s.Post("/auth/send-login-code", fmt.Sprintf(`{"email":%q}`, email), headers...)
}

func (s *site) login(email, code string) webtest.Answer {
	s.Helper()
	return s.Post("/auth/login/email-code", fmt.Sprintf(`{"email":%q,"code":%q}`, email, code))
}

func (s *site) refresh(token string) webtest.Answer {
	s.Helper()
	return s.Post("/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, token))
}

// signIn sends a code to an address and logs in with it.
func (s *site) signIn(email string) webtest.Answer {
	s.Helper()
	s.send(email).Want(http.StatusOK)
	return s.login(email, s.Code()).Want(http.StatusOK)
}

// wantProblem checks a problem of a kind, with its fields in order as
// "field code".
func wantProblem(a webtest.Answer, k *kind, fields ...string) {
	a.Helper()
	a.Want(k.status)
	if got := a.Header.Get("Content-Type"); got != "application/problem+json; charset=utf-8" {
		a.Fatalf("content type is %s", got)
	}
	for name, want := range map[string]any{
		"type":     webtest.Origin + webtest.PagesPath + "/problems/" + k.name,
		"title":    k.title,
		"status":   float64(k.status),
		"code":     float64(k.code),
		"message":  a.Text("detail"),
		"i18n_key": "problem." + k.name,
		"service":  "identity-service",
	} {
		if a.Fields[name] != want {
			a.Fatalf("%s is %v, want %v: %s", name, a.Fields[name], want, a.Body)
		}
	}
	wantRetryAfter(a, k.status == http.StatusTooManyRequests || k.status == http.StatusServiceUnavailable)
	wantTime(a)
	if strings.Contains(a.Text("detail"), "{") {
		a.Fatalf("detail is %q", a.Text("detail"))
	}
	if !strings.HasPrefix(a.Text("instance"), "/") {
		a.Fatalf("instance is %q", a.Text("instance"))
	}
	if id := a.Text("request_id"); len(id) <= len("req_") || !strings.HasPrefix(id, "req_") {
		a.Fatalf("request_id is %q", id)
	}
	if trace, ok := wire.ParseTraceparent(a.Text("trace_id")); !ok || trace.Span != a.Text("span_id") {
		a.Fatalf("trace_id is %q, span_id %q", a.Text("trace_id"), a.Text("span_id"))
	}
	var got []string
	problems, _ := a.Fields["errors"].([]any)
	for _, problem := range problems {
		p := problem.(map[string]any)
		if p["description"] == "" || len(p) != 3 {
			a.Fatalf("error is %v", p)
		}
		got = append(got, fmt.Sprint(p["field"], " ", p["code"]))
	}
	if !reflect.DeepEqual(got, fields) {
		a.Fatalf("errors are %q, want %q", got, fields)
	}
}

func wantRetryAfter(a webtest.Answer, wanted bool) {
	a.Helper()
	header := a.Header.Get("Retry-After")
	args, _ := a.Fields["i18n_args"].(map[string]any)
	if !wanted {
		if header != "" || a.Fields["retry_after"] != nil || args == nil || len(args) != 0 {
			a.Fatalf("there is a Retry-After %q, retry_after %v or i18n_args %v", header, a.Fields["retry_after"], args)
		}
		return
	}
	seconds, err := strconv.Atoi(header)
	if err != nil || seconds < 1 || a.Fields["retry_after"] != float64(seconds) || args["retry_after"] != float64(seconds) ||
		!strings.Contains(a.Text("detail"), header) {
		a.Fatalf("Retry-After is %q in %s", header, a.Body)
	}
}

// wantTime checks that the timestamp is the present, in UTC.
func wantTime(a webtest.Answer) {
	a.Helper()
	at, err := time.Parse(time.RFC3339, a.Text("timestamp"))
	if err != nil || !strings.HasSuffix(a.Text("timestamp"), "Z") || time.Since(at).Abs() > time.Minute {
		a.Fatalf("timestamp is %q", a.Text("timestamp"))
	}
}

// wantSimple checks an answer of {code, message, timestamp}.
func wantSimple(a webtest.Answer, want simple) {
	a.Helper()
	a.Want(want.status)
	wantTime(a)
	if len(a.Fields) != 3 || a.Fields["code"] != float64(want.code) || a.Text("message") != want.message {
		a.Fatalf("body is %s", a.Body)
	}
	if got := a.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		a.Fatalf("content type is %s", got)
	}
}

// wantSuccess checks an envelope and returns its data.
func wantSuccess(a webtest.Answer) map[string]any {
	a.Helper()
	a.Want(http.StatusOK)
	wantTime(a)
	data, ok := a.Fields["data"].(map[string]any)
	if a.Fields["code"] != 0.0 || a.Text("message") == "" || !ok || len(a.Fields) != 4 {
		a.Fatalf("body is %s", a.Body)
	}
	return data
}
