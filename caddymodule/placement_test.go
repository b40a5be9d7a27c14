// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

const placedOTP = "otp {\n\tpublic_url http://localhost:8080\n}\n"

// TestPlacement loads otp in all the places of a site that people write it in.
func TestPlacement(t *testing.T) {
	for _, test := range []struct {
		name, site string
		want       string // a part of the error, or "" where it is fine
	}{
		{"straight in the site", ":8080 {\n" + placedOTP + "respond app\n}", ""},
		{"with a host", "http://localhost:8080 {\n" + placedOTP + "respond app\n}", ""},
		{"with several hosts", "http://localhost:8080, http://a.localhost:8080 {\n" + placedOTP + "}", ""},
		{"in a route", ":8080 {\nroute {\nabort /bad\n" + placedOTP + "respond app\n}\n}", ""},
		{"in a handle for everything", ":8080 {\nhandle {\n" + placedOTP + "respond app\n}\n}", ""},
		{"with a public_url of its own on each host", "http://localhost:8080 {\n" + placedOTP + "}\nhttp://b.localhost:8080 {\notp {\npublic_url http://b.localhost:8080\n}\n}", ""},
		{"in a handle of a path", ":8080 {\nhandle /admin/* {\n" + placedOTP + "}\nrespond app\n}", "http://localhost:8080 stands below a matcher (path)"},
		{"in a handle_path", ":8080 {\nhandle_path /app/* {\n" + placedOTP + "}\n}", "below a matcher (path)"},
		{"in a route of a method", ":8080 {\n@post method POST\nroute @post {\n" + placedOTP + "}\n}", "below a matcher (method)"},
		{"two deep", ":8080 {\nhandle /a/* {\nroute {\n" + placedOTP + "}\n}\n}", "below a matcher (path)"},
		{"in a site with a path", "http://localhost:8080/app/* {\n" + placedOTP + "}", "below a matcher (path)"},
		{"with error pages", ":8080 {\n" + placedOTP + "handle_errors {\nrespond oops\n}\n}", ""},
		{"with an app's error pages", ":8080 {\n" + placedOTP + "handle_errors {\nrewrite * /oops\nreverse_proxy localhost:1\n}\n}", "handle_errors of http://localhost:8080 uses reverse_proxy"},
		{"with an app's error pages for one status", "http://localhost:8080 {\n" + placedOTP + "handle_errors 404 {\nreverse_proxy localhost:1\n}\n}", "handle_errors of"},
		{"with an app's error pages through FastCGI", ":8080 {\n" + placedOTP + "handle_errors {\nphp_fastcgi localhost:1\n}\n}", "handle_errors of"},
		{"beside a site with an app's error pages", "http://localhost:8080 {\n" + placedOTP + "}\nhttp://b.localhost:8080 {\nhandle_errors {\nreverse_proxy localhost:1\n}\n}", ""},
		{"twice", ":8080 {\n" + placedOTP + "otp {\npublic_url http://other.localhost\n}\n}", "otp stands twice"},
		{"twice, once in a route", "http://localhost:8080 {\n" + placedOTP + "route {\notp {\npublic_url http://other.localhost\n}\n}\n}", "otp stands twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := run(t)
			config := c.withoutListeners("{\nadmin off\npersist_config off\nauto_https off\n}\n" + test.site)
			err := caddy.Load(config, true)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}
