// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestErrorsArePages: what goes wrong outside of the pages, people are told by
// a page of them too.
func TestErrorsArePages(t *testing.T) {
	handlers, err := provision(t, jsonOf(t, caddyfileOf("", loopback)))
	if err != nil {
		t.Fatal(err)
	}
	r := arriving(t, new(caddyhttp.Server))
	r.URL.Path = "/.otp/nothing"
	unknown, unavailable := httptest.NewRecorder(), httptest.NewRecorder()
	if err := handlers[0].ServeHTTP(unknown, r, respond(http.StatusTeapot)); err != nil {
		t.Fatal(err)
	}
	handlers[0].site.Gate.FailPage(unavailable, r, otp.ErrUnavailable)
	for want, w := range map[int]*httptest.ResponseRecorder{http.StatusNotFound: unknown, http.StatusServiceUnavailable: unavailable} {
		if w.Code != want || !strings.HasPrefix(w.Body.String(), "<!doctype html>") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}
