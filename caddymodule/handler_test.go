// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// arriving is a request as Caddy's server hands it to handlers.
func arriving(t *testing.T, server *caddyhttp.Server) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8080/", nil)
	ctx := context.WithValue(r.Context(), caddyhttp.VarsCtxKey, make(map[string]any))
	ctx = context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer())
	ctx = context.WithValue(ctx, caddyhttp.ServerCtxKey, server)
	return r.WithContext(ctx)
}

func respond(status int) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(status)
		return nil
	}
}

// TestTwoDirectivesServeNothing: the second would take away the identity that
// the first one gave, or guard by other rules.
func TestTwoDirectivesServeNothing(t *testing.T) {
	handlers, err := provision(t, jsonOf(t, caddyfileOf("", loopback, second)))
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	err = handlers[0].ServeHTTP(recorder, arriving(t, new(caddyhttp.Server)), caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		return handlers[1].ServeHTTP(w, r, respond(http.StatusTeapot))
	}))
	failure, ok := errors.AsType[caddyhttp.HandlerError](err)
	if !ok || failure.StatusCode != http.StatusInternalServerError || !strings.Contains(err.Error(), "two otp directives serve one request") {
		t.Errorf("%v", err)
	}
	if recorder.Code == http.StatusTeapot {
		t.Error("the app was asked")
	}
}

func TestWarningOfSpoofableProxies(t *testing.T) {
	const warning = "trusted_proxies without trusted_proxies_strict"
	for name, c := range map[string]struct {
		server  *caddyhttp.Server
		trusted bool
		warns   int
	}{
		"not by a proxy":              {&caddyhttp.Server{}, false, 0},
		"by a proxy, strict":          {&caddyhttp.Server{TrustedProxiesStrict: 1}, true, 0},
		"by a proxy, from the left":   {&caddyhttp.Server{}, true, 1},
		"not by a proxy, though some": {&caddyhttp.Server{TrustedProxiesStrict: 1}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			handlers, err := provision(t, jsonOf(t, caddyfileOf("", loopback)))
			if err != nil {
				t.Fatal(err)
			}
			core, logged := observer.New(zap.InfoLevel)
			handlers[0].logger = zap.New(core)
			for range 3 {
				r := arriving(t, c.server)
				caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, c.trusted)
				err := handlers[0].ServeHTTP(httptest.NewRecorder(), r, respond(http.StatusOK))
				if err != nil {
					t.Fatal(err)
				}
			}
			if n := logged.FilterMessageSnippet(warning).Len(); n != c.warns {
				t.Errorf("%d warnings in three requests, not %d", n, c.warns)
			}
		})
	}
}
