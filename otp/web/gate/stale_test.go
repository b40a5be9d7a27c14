// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestNoNewsOfRevocations is of a store that goes away and comes back: a
// session opens nothing protected before the store was heard of, nor once it
// wasn't for a minute. What isn't protected goes on, without an identity.
func TestNoNewsOfRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(_ *Config, oc *otp.Config) {
			oc.Watch = otp.NewWatch(oc.Store, time.Second, slog.New(slog.DiscardHandler))
		})
		down := func(err error) {
			h.store.mu.Lock()
			defer h.store.mu.Unlock()
			h.store.err = err
		}
		down(otp.ErrUnavailable)
		h.Service.Watch().Start()
		defer h.Service.Watch().Stop()
		x := session(t, "jane@example.com")
		began := time.Now()
		for _, step := range []struct {
			at   time.Duration // since the beginning
			then func()
			open bool
		}{
			{at: 0},
			{at: 30 * time.Second},
			{at: 30 * time.Second, then: func() { down(nil) }},
			{at: 31 * time.Second, open: true},
			{at: 60 * time.Second, open: true, then: func() { down(otp.ErrUnavailable) }},
			{at: 119 * time.Second, open: true},
			{at: 121 * time.Second},
			{at: time.Hour, then: func() { down(nil) }},
			{at: time.Hour + time.Second, open: true, then: func() {
				if err := h.store.Revoke(t.Context(), otp.Revocation{Session: x.ID, Lifetime: 24 * time.Hour}); err != nil {
					t.Error(err)
				}
			}},
		} {
			time.Sleep(time.Until(began.Add(step.at)))
			synctest.Wait()
			h.passed, h.identified = nil, ""
			w := h.do(h.as(x, http.MethodGet, "/admin"))
			if got := h.passed != nil; got != step.open {
				t.Errorf("after %v: open is %t, answered %d", step.at, got, w.Code)
			}
			if !step.open && (w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "") {
				t.Errorf("after %v: answered %d, Retry-After %q", step.at, w.Code, w.Header().Get("Retry-After"))
			}
			h.passed = nil
			w = h.do(h.as(x, http.MethodGet, "/public"))
			if h.passed == nil {
				t.Fatalf("after %v: what isn't protected is answered %d", step.at, w.Code)
			}
			if got := h.passed.Header.Get("Remote-User") != ""; got != step.open {
				t.Errorf("after %v: Remote-User is told: %t", step.at, got)
			}
			if step.then != nil {
				step.then()
			}
		}
		time.Sleep(time.Second)
		h.passed = nil
		if w := h.do(h.as(x, http.MethodGet, "/admin")); h.passed != nil || w.Code == http.StatusServiceUnavailable {
			t.Errorf("signed out and answered %d", w.Code)
		}
		h.passed = nil
		if h.do(httptest.NewRequest(http.MethodGet, "/public", nil)); h.passed == nil {
			t.Error("the app isn't reached")
		}
	})
}
