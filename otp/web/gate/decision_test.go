// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestDecisionsAreTold: of each request for the app once.
func TestDecisionsAreTold(t *testing.T) {
	var told []string
	h := newHouse(t, func(c *Config, _ *otp.Config) {
		c.OnDecision = func(d Decision) { told = append(told, d.String()) }
		c.Rules = NewRules(
			[]Protection{{Paths: []string{"/private"}}, {Paths: []string{"/staff"}, Groups: []string{"staff"}}},
			[]SecondFactor{{Paths: []string{"/safe"}}}, nil)
	})
	jane := session(t, "jane@example.com")
	raw, err := h.Issuer.SignAccess(t.Context(), jane, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	nobody := func(method, path string, headers ...string) *http.Request {
		r := httptest.NewRequest(method, path, nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return r
	}
	preflight := []string{"Origin", "https://spa.example.com", "Access-Control-Request-Method", "POST"}
	for _, test := range []struct {
		name string
		r    *http.Request
		want Decision
	}{
		{"nobody, where nothing is needed", nobody(http.MethodGet, "/"), PassedAnonymous},
		{"a cookie", h.as(jane, http.MethodGet, "/private"), PassedByCookie},
		{"a token", nobody(http.MethodGet, "/private", "Authorization", "Bearer "+raw), PassedByBearer},
		{"nobody, where a session is needed", nobody(http.MethodGet, "/private"), Refused},
		{"a preflight", nobody(http.MethodOptions, "/private", preflight...), PassedAnonymous},
		{"in no group", h.as(jane, http.MethodGet, "/staff"), Forbidden},
		{"without a second factor", h.as(jane, http.MethodGet, "/safe"), FactorDemanded},
	} {
		told = nil
		h.do(test.r)
		if !slices.Equal(told, []string{test.want.String()}) {
			t.Errorf("%s: told %q, want %q", test.name, told, test.want)
		}
	}

	keeping := newHouse(t, func(c *Config, _ *otp.Config) { c.OnDecision = h.OnDecision })
	cookie, form := keeping.keep(formPost(formURI, formBody, keeping.idle(jane)))
	told = nil
	keeping.refuses("a form of another", keeping.confirm(session(t, "joe@example.com"), cookie, form.Secret), http.StatusForbidden, ErrFormOther)
	if !slices.Equal(told, []string{FormRefused.String()}) {
		t.Errorf("a form of another: told %q", told)
	}

	away := newHouse(t, func(c *Config, _ *otp.Config) { c.OnDecision = h.OnDecision })
	away.store.err = otp.ErrUnavailable
	told = nil
	away.do(away.as(jane, http.MethodGet, "/admin"))
	if !slices.Equal(told, []string{Unchecked.String()}) {
		t.Errorf("the store is away: told %q", told)
	}
	for i, name := range Decisions() {
		if name == "" || slices.Index(Decisions(), name) != i {
			t.Errorf("decision %d is called %q", i, name)
		}
	}
}
