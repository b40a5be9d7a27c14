// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// siteJSON is the configuration of a site that is given in JSON.
func siteJSON(options string) []byte {
	return []byte(`{"apps": {"http": {"servers": {"a": {"listen": ["127.0.0.1:0"], "routes": [{"handle": [{"handler": "otp", "public_url": "http://localhost", ` + options + `}]}]}}}}}`)
}

func TestRequireMFARefusesJSON(t *testing.T) {
	t.Setenv("OTP_TEST_SENSITIVE", "sensitive")
	t.Setenv("OTP_TEST_ADMIN", "/admin")
	for options, want := range map[string]string{
		`"require_mfa": [{}]`:                                                         "require_mfa has no path; write `require_mfa /` for every path",
		`"require_mfa": [{"paths": [""]}]`:                                            `require_mfa has a blank value; write one, or remove it`,
		`"require_mfa": [{"paths": ["admin"]}]`:                                       `require_mfa: "admin" is no path; it must begin with a slash, such as /admin`,
		`"require_mfa": [{"paths": ["{env.OTP_TEST_SENSITIVE}"]}]`:                    `require_mfa: "sensitive" is no path; it must begin with a slash, such as /admin`,
		`"require_mfa": [{"paths": ["/a"], "fresh": "25h"}]`:                          `require_mfa fresh must be from 1s to 24h, not 25h`,
		`"require_mfa": [{"paths": ["/a"], "fresh": -1}]`:                             `require_mfa fresh must be from 1s to 24h, not -1ns`,
		`"require_mfa": [{"paths": ["/a"]}, {"paths": ["/A/*"]}]`:                     `/A/* is in require_mfa twice; keep one`,
		`"require_mfa": [{"paths": ["{env.OTP_TEST_ADMIN}"]}, {"paths": ["/admin"]}]`: `/admin is in require_mfa twice; keep one`,
		`"require_mfa": [{"paths": ["/a"]}], "public": ["/a"]`:                        `/a is in both require_mfa and public; keep one`,
	} {
		t.Run(options, func(t *testing.T) {
			_, err := provision(t, isolated(t, siteJSON(options)))
			if err == nil {
				t.Fatal("is taken")
			}
			if want := "site http://localhost: " + want; cause(err) != want {
				t.Errorf("\n%s\nnot\n%s", cause(err), want)
			}
		})
	}
}

// TestRequireMFARules: what a line says is what the gate goes by, with or
// without a protect line, and public may be an exception from it.
func TestRequireMFARules(t *testing.T) {
	t.Setenv("OTP_TEST_SENSITIVE", "/billing /keys")
	handlers, err := provision(t, isolated(t, siteJSON(`"require_mfa": [{"paths": ["/admin/*"], "fresh": "15m"}, {"paths": ["{env.OTP_TEST_SENSITIVE}"]}], "public": ["/admin/health"]`)))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		factor bool
		fresh  time.Duration
	}{
		"/": {}, "/admin": {true, 15 * time.Minute}, "/admin/x": {true, 15 * time.Minute}, "/billing/x": {factor: true}, "/keys": {factor: true},
		"/admin/health": {}, "/adminx": {},
	} {
		need := handlers[0].rules().Need(&url.URL{Path: path})
		if need.Session != want.factor || need.SecondFactor != want.factor || need.Fresh != want.fresh {
			t.Errorf("%s needs %+v", path, need)
		}
	}
}

// TestRequireMFAAndPublicOfTwoLevels: a site may open what needs a second
// factor by default.
func TestRequireMFAAndPublicOfTwoLevels(t *testing.T) {
	factors := []SecondFactor{{Paths: []string{"/admin"}}}
	public := []string{"/admin"}
	for _, tc := range []struct {
		name           string
		site, defaults Options
		refused        bool
	}{
		{"both the site's", Options{RequireMFA: factors, Public: public}, Options{}, true},
		{"both the default's", Options{}, Options{RequireMFA: factors, Public: public}, true},
		{"the site opens", Options{Public: public}, Options{RequireMFA: factors}, false},
		{"the site requires", Options{RequireMFA: factors}, Options{Public: public}, false},
		{"an exception from it", Options{RequireMFA: factors, Public: []string{"/admin/health"}}, Options{}, false},
		{"an exception from nothing", Options{Public: public}, Options{}, true},
	} {
		if err := checkPublic([]Options{tc.site, {}, tc.defaults}); (err != nil) != tc.refused {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// TestSitesDoNotShareSecondFactors: the defaults are used by all sites.
func TestSitesDoNotShareSecondFactors(t *testing.T) {
	repl := caddy.NewReplacer()
	repl.Set("path", "/a")
	shared := []SecondFactor{{Paths: []string{"{path}"}}}
	site := Options{RequireMFA: shared}
	if err := site.resolve(repl); err != nil {
		t.Fatal(err)
	}
	if shared[0].Paths[0] != "{path}" || !reflect.DeepEqual(site.RequireMFA, []SecondFactor{{Paths: []string{"/a"}}}) {
		t.Errorf("%+v became %+v", shared, site.RequireMFA)
	}
}
