// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// ruleSet is a site with rules of every kind.
var ruleSet = NewRules(
	[]Protection{
		{Paths: []string{"/"}},
		{Paths: []string{"/admin", "/internal"}, Groups: []string{"admins", "ops"}},
		{Paths: []string{"/admin/keys"}, Groups: []string{"keepers"}},
		{Paths: []string{"/admin/help"}},
	},
	[]SecondFactor{
		{Paths: []string{"/money"}},
		{Paths: []string{"/money/out"}, Fresh: 5 * time.Minute},
		{Paths: []string{"/admin"}, Fresh: time.Hour},
	},
	[]string{"/assets", "/money/rates", "/admin/health"},
)

// describe writes a need in short: who is asked for, and for what.
func describe(n Need) string {
	var words []string
	if n.Session {
		words = append(words, "session")
	}
	for _, groups := range n.Groups {
		words = append(words, strings.Join(groups, "|"))
	}
	if n.SecondFactor {
		words = append(words, fmt.Sprint("factor ", n.Fresh))
	}
	return strings.Join(words, ", ")
}

func TestNeed(t *testing.T) {
	for raw, want := range map[string]string{
		"/":                     "session",
		"/x/admin":              "session",
		"/adminx":               "session",
		"/assets/app.css":       "",
		"/admin":                "session, admins|ops, factor 1h0m0s",
		"/ADMIN/x":              "session, admins|ops, factor 1h0m0s",
		"/internal/x":           "session, admins|ops",
		"/admin/keys/1":         "session, keepers, factor 1h0m0s",
		"/admin/keysx":          "session, admins|ops, factor 1h0m0s",
		"/admin/help":           "session, factor 1h0m0s",
		"/admin/health":         "",
		"/money":                "session, factor 0s",
		"/money/out/1":          "session, factor 5m0s",
		"/money/rates":          "",
		"/money/rates/..%2fout": "session, admins|ops, admins|ops, keepers, factor 5m0s", // may be any
		// An encoded slash alone: both readings.
		"/files/a%2Fb":         "session",
		"/admin%2Fx":           "session, admins|ops, admins|ops, factor 1h0m0s",
		"/admin/x%2Fy":         "session, admins|ops, admins|ops, admins|ops, factor 1h0m0s",
		"/admin%2Fkeys":        "session, keepers, keepers, factor 1h0m0s",
		"/admin/keys%2Fx":      "session, keepers, keepers, admins|ops, factor 1h0m0s",
		"/assets/a%2Fb":        "session",
		"/money%2Fout":         "session, factor 5m0s",
		"/admin%2Fhealth":      "session, admins|ops, admins|ops, factor 1h0m0s", // never public
		"/assets%2F..%2Fadmin": "session, admins|ops, admins|ops, keepers, factor 5m0s",
		// Other spellings than the plain one: both readings.
		"/%2561dmin":         "session, admins|ops, factor 1h0m0s",
		"/assets/%252e%252e": "session",
		"/admin.":            "session, admins|ops, factor 1h0m0s",
		"//admin":            "session, admins|ops, admins|ops, keepers, factor 5m0s",
		"/admin;x":           "session, admins|ops, admins|ops, keepers, factor 5m0s",
		"*":                  "session, admins|ops, admins|ops, keepers, factor 5m0s",
	} {
		if got := describe(ruleSet.Need(target(t, raw))); got != want {
			t.Errorf("%s: %s; want %s", raw, got, want)
		}
	}
}

// TestNeedOfNothing: a site without rules asks nobody for anything.
func TestNeedOfNothing(t *testing.T) {
	for _, raw := range []string{"/", "/admin", "//x", "*", "/a%2fb"} {
		if got := describe(NewRules(nil, nil, []string{"/assets"}).Need(target(t, raw))); got != "" {
			t.Errorf("%s: %s", raw, got)
		}
	}
}

func TestNeedAllocatesNothing(t *testing.T) {
	rules := protecting("/ /admin /api", "/assets")
	u := target(t, "/assets/app.css")
	if n := testing.AllocsPerRun(100, func() { rules.Need(u) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// people is a directory of one group each.
type people map[string][]string

func (p people) Find(_ context.Context, a otp.Address) (otp.Person, error) {
	groups, ok := p[a.String()]
	if !ok {
		return otp.Person{}, otp.ErrNobody
	}
	return otp.Person{Groups: groups}, nil
}

// TestGroups opens paths of one group as somebody of it and as somebody of
// another, with every kind of client.
func TestGroups(t *testing.T) {
	h := newHouse(t, func(c *Config, oc *otp.Config) {
		c.Rules = NewRules([]Protection{{Paths: []string{"/admin"}, Groups: []string{"admins"}}}, nil, nil)
		oc.Directory = people{"jane@example.com": {"staff", "admins"}, "joe@example.com": {"staff"}}
	})
	var failed []error
	h.FailPage = func(w http.ResponseWriter, _ *http.Request, err error) {
		failed = append(failed, err)
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "a page")
	}
	if w := h.do(h.as(session(t, "jane@example.com"), http.MethodGet, "/admin")); h.passed == nil || h.passed.Header.Get(RemoteGroups) != "staff,admins" {
		t.Errorf("of the group: %d, %v", w.Code, h.passed)
	}
	joe := session(t, "joe@example.com")
	if h.do(h.as(joe, http.MethodGet, "/other")); h.passed == nil || h.passed.Header.Get(RemoteGroups) != "staff" {
		t.Errorf("where no group is needed: %v", h.passed)
	}
	for _, tc := range []struct {
		name    string
		headers map[string]string
		status  int
		page    bool
		grpc    string
	}{
		{name: "a browser", headers: map[string]string{"Sec-Fetch-Mode": "navigate"}, status: 403, page: true},
		{name: "fetch", headers: map[string]string{"Sec-Fetch-Mode": "cors"}, status: 403},
		{name: "curl", headers: map[string]string{"Accept": "*/*"}, status: 403},
		{name: "an upgrade", headers: map[string]string{"Upgrade": "websocket", "Connection": "Upgrade"}, status: 403},
		{name: "gRPC", headers: map[string]string{"Content-Type": "application/grpc"}, status: 200, grpc: "7"},
	} {
		for _, path := range []string{"/admin", "/ADMIN/x", "//admin", "/x/../admin", "/admin%2fx"} {
			failed = nil
			r := h.as(joe, http.MethodGet, path)
			for name, value := range tc.headers {
				r.Header.Set(name, value)
			}
			w := h.do(r)
			if h.passed != nil || w.Code != tc.status || w.Header().Get("Grpc-Status") != tc.grpc || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s, %s: passed %v, %d %v", tc.name, path, h.passed != nil, w.Code, w.Header())
			}
			if asked := slices.ContainsFunc(failed, func(err error) bool { return errors.Is(err, wire.ErrForbidden) }); asked != tc.page {
				t.Errorf("%s: a page %v", tc.name, asked)
			}
		}
	}
	if w := h.do(httptest.NewRequest(http.MethodGet, "/admin", nil)); h.passed != nil || w.Code != http.StatusUnauthorized {
		t.Errorf("nobody: %d", w.Code)
	}
	if w := h.do(h.as(session(t, "mallory@example.com"), http.MethodGet, "/admin")); h.passed != nil || w.Code != http.StatusUnauthorized {
		t.Errorf("somebody whom the directory doesn't know: %d", w.Code)
	}
}
