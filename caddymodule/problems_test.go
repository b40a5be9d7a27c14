// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/tracing"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// withAPI provisions a site with a line for the Autional API.
func withAPI(t *testing.T, line string) *Handler {
	t.Helper()
	handlers, err := provision(t, jsonOf(t, caddyfileOf("", loopback+"\n"+line)))
	if err != nil {
		t.Fatal(err)
	}
	return handlers[0]
}

// asked makes a request of a handler, in front of which another may stand.
func asked(t *testing.T, h *Handler, inFront caddyhttp.MiddlewareHandler, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	serve := func(w http.ResponseWriter, r *http.Request) error {
		return h.ServeHTTP(w, r, respond(http.StatusTeapot))
	}
	if inFront != nil {
		inner := serve
		serve = func(w http.ResponseWriter, r *http.Request) error {
			return inFront.ServeHTTP(w, r, caddyhttp.HandlerFunc(inner))
		}
	}
	w := httptest.NewRecorder()
	if err := serve(w, r); err != nil {
		t.Fatal(err)
	}
	return w
}

// sending is a request to the Autional API that has a wrong field.
func sending(t *testing.T, traceparent string) *http.Request {
	t.Helper()
	r := arriving(t, new(caddyhttp.Server))
	post := httptest.NewRequest(http.MethodPost, "/auth/send-login-code", strings.NewReader(`{"email":"alice"}`))
	r.Method, r.URL, r.Body = post.Method, post.URL, post.Body
	r.Header.Set("Content-Type", "application/json")
	if traceparent != "" {
		r.Header.Set("Traceparent", traceparent)
	}
	return r
}

func fieldsOf(t *testing.T, w *httptest.ResponseRecorder, status int) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &fields); err != nil || w.Code != status {
		t.Fatalf("%v: %d %s", err, w.Code, w.Body)
	}
	return fields
}

func TestProblemOptions(t *testing.T) {
	t.Setenv("OTP_TEST_SERVICE", "from-the-environment")
	for line, want := range map[string][2]any{
		"api autional": {"identity-service", nil},
		"api autional {\n\tservice portal\n\tdevelopment\n}":        {"portal", "alice"},
		"api autional {\n\tservice {env.OTP_TEST_SERVICE}\n}":       {"from-the-environment", nil},
		"api autional {\n\tdevelopment\n}\napi nestauth":            {"identity-service", "alice"},
		"path /login\napi autional {\n\tservice a\n}\napi nestauth": {"a", nil},
	} {
		problem := fieldsOf(t, asked(t, withAPI(t, line), nil, sending(t, "")), http.StatusBadRequest)
		field := problem["errors"].([]any)[0].(map[string]any)
		if got := [2]any{problem["service"], field["value"]}; got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
	t.Setenv("OTP_TEST_SERVICE", "two words")
	_, err := provision(t, jsonOf(t, caddyfileOf("", loopback+"\napi autional {\n\tservice {env.OTP_TEST_SERVICE}\n}")))
	if err == nil || !strings.Contains(err.Error(), `service "two words": write a name`) {
		t.Errorf("%v", err)
	}
}

// TestTypeOfAProblem: where its type leads to is below the pages, and there is
// nothing where there is no such API.
func TestTypeOfAProblem(t *testing.T) {
	get := func(path, accept string) *http.Request {
		r := arriving(t, new(caddyhttp.Server))
		r.URL.Path = path
		r.Header.Set("Accept", accept)
		return r
	}
	for _, c := range []struct {
		lines, path, accept string
		status              int
		contentType         string
	}{
		{"", "/.otp/problems/code-invalid", "application/json", 200, "application/json; charset=utf-8"},
		{"", "/.otp/problems/code-invalid", "text/html", 200, "text/html; charset=utf-8"},
		{"path /login", "/login/problems/code-invalid", "*/*", 200, "application/json; charset=utf-8"},
		{"", "/.otp/problems/nothing", "text/html", 404, "text/html; charset=utf-8"},
		{"", "/.otp/problems/nothing", "application/json", 404, "text/html; charset=utf-8"},
		{"", "/.otp/problems", "text/html", 404, "text/html; charset=utf-8"},
		{"", "/.otp/problems/Code-Invalid", "text/html", 404, "text/html; charset=utf-8"},
		{"api nestauth", "/.otp/problems/code-invalid", "text/html", 404, "text/html; charset=utf-8"},
		{"", "/problems/code-invalid", "text/html", 418, ""},
	} {
		w := asked(t, withAPI(t, c.lines), nil, get(c.path, c.accept))
		if w.Code != c.status || w.Header().Get("Content-Type") != c.contentType {
			t.Errorf("%+v: %d %s", c, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

func TestTraces(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "none")
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	spans := new(tracing.Tracing)
	if err := spans.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := spans.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	h := withAPI(t, "")
	for _, c := range []struct {
		name                 string
		traceparent          string
		inFront              caddyhttp.MiddlewareHandler
		sameTrace, sameSpan  bool
		spanOfCaddy, sampled bool
	}{
		{"neither", "", nil, false, false, false, false},
		{"a traceparent", parent, nil, true, true, false, true},
		{"tracing", "", spans, false, false, true, true},
		{"tracing and a traceparent", parent, spans, true, false, true, true},
		{"variables that are no span", parent, setting{"trace_id": "x", "span_id": "y"}, true, true, false, true},
		{"variables of another propagation", parent, setting{"trace_id": strings.Repeat("ab", 16), "span_id": strings.Repeat("cd", 8)}, false, false, true, false},
	} {
		r := sending(t, c.traceparent)
		problem := fieldsOf(t, asked(t, h, c.inFront, r), http.StatusBadRequest)
		trace, ok := wire.ParseTraceparent(problem["trace_id"].(string))
		if !ok || problem["span_id"] != trace.Span {
			t.Fatalf("%s: %v, %v", c.name, problem["trace_id"], problem["span_id"])
		}
		if got := trace.ID == parent[3:35]; got != c.sameTrace {
			t.Errorf("%s: the trace is %s", c.name, trace.ID)
		}
		if got := trace.Span == parent[36:52]; got != c.sameSpan {
			t.Errorf("%s: the span is %s", c.name, trace.Span)
		}
		if (trace.Flags == "01") != c.sampled {
			t.Errorf("%s: the flags are %s", c.name, trace.Flags)
		}
		// What the access log shows as traceID and spanID.
		id, span := caddyhttp.GetVar(r.Context(), "trace_id"), caddyhttp.GetVar(r.Context(), "span_id")
		if got := id == trace.ID && span == trace.Span; got != c.spanOfCaddy {
			t.Errorf("%s: Caddy's are %v, %v, the problem's %s, %s", c.name, id, span, trace.ID, trace.Span)
		}
	}
}

// setting is a handler that sets variables.
type setting map[string]string

func (s setting) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	for name, value := range s {
		caddyhttp.SetVar(r.Context(), name, value)
	}
	return next.ServeHTTP(w, r)
}
