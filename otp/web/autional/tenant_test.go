// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

func TestTenant(t *testing.T) {
	for _, test := range []struct {
		name, header, body, want string
		fields                   []string
	}{
		{"none", "", "", "", nil},
		{"header", "acme", "", "acme", nil},
		{"body", "", "acme", "acme", nil},
		{"both", "acme", "acme", "acme", nil},
		{"two", "acme", "globex", "", []string{"tenant_id mismatch"}},
		{"two in another case", "acme", "Acme", "", []string{"tenant_id mismatch"}},
		{"long header", strings.Repeat("ü", maxTenant+1), "", "", []string{"X-Tenant-ID range"}},
		{"header at its bound", strings.Repeat("ü", maxTenant), "", strings.Repeat("ü", maxTenant), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, webtest.Options{})
			s.send(alice).Want(http.StatusOK)
			body := `{"email":"` + alice + `","code":"` + s.Code() + `"`
			if test.body != "" {
				body += `,"tenant_id":"` + test.body + `"`
			}
			var headers []string
			if test.header != "" {
				headers = []string{"X-Tenant-ID", test.header}
			}
			a := s.Post("/auth/login/email-code", body+`}`, headers...)
			if test.fields != nil {
				wantProblem(a, invalidParameter, test.fields...)
				return
			}
			x, err := s.Issuer.Authenticate(t.Context(), a.Want(http.StatusOK).Text("access_token"))
			if err != nil || x.Tenant != test.want {
				t.Errorf("tenant is %q, %v", x.Tenant, err)
			}
		})
	}
}

// TestTenantOfDirectory: who belongs to tenants signs in for one of theirs, with
// what was asked for by its name.
func TestTenantOfDirectory(t *testing.T) {
	person := member(false, jane)
	person.Tenants = []string{"acme", "globex"}
	s, _ := newStaffSite(t, webtest.Options{}, person)
	named := func(tenant string) []string { return []string{"X-Tenant-ID", tenant} }
	login := func(code string, headers ...string) webtest.Answer {
		return s.Post("/auth/login/email-code", `{"email":"`+jane+`","code":"`+code+`"}`, headers...)
	}
	s.send(jane, named("globex")...).Want(http.StatusOK)
	m := s.Message()
	if m.Tenant != "globex" {
		t.Errorf("message is %+v", m)
	}
	wantProblem(login(m.Code, named("acme")...), codeInvalid)
	wantProblem(login(m.Code), codeInvalid)
	a := login(m.Code, named("globex")...).Want(http.StatusOK)
	if x, err := s.Issuer.Authenticate(t.Context(), a.Text("access_token")); err != nil || x.Tenant != "globex" {
		t.Errorf("tenant is %q, %v", x.Tenant, err)
	}

	s.send(jane).Want(http.StatusOK)
	a = login(s.Code()).Want(http.StatusOK)
	if x, err := s.Issuer.Authenticate(t.Context(), a.Text("access_token")); err != nil || x.Tenant != "acme" {
		t.Errorf("the main tenant is %q, %v", x.Tenant, err)
	}

	s.send(jane, named("initech")...).Want(http.StatusOK) // answered like any other
	link := s.ask(`{"email":"`+jane+`"}`, named("globex")...)
	a = s.confirm(link).Want(http.StatusOK)
	if x, err := s.Issuer.Authenticate(t.Context(), a.Text("access_token")); err != nil || x.Tenant != "globex" || x.Method != otp.ByLink {
		t.Errorf("%+v, %v", x, err)
	}
	wantProblem(s.send(jane, named(strings.Repeat("x", 129))...), invalidParameter, "X-Tenant-ID range")
}
