// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestOrderIsWarnedOf starts sites whose own refusals run after the login.
func TestOrderIsWarnedOf(t *testing.T) {
	const password = "basic_auth {\nalice $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG\n}\n"
	const bad = "@bad path /bad\n"
	for _, test := range []struct {
		name, site string
		want       string // what the warning names, or "" where there is none
	}{
		{"an app alone", ":8080 {\n" + placedOTP + "respond app\n}", ""},
		{"basic_auth", ":8080 {\n" + placedOTP + password + "respond app\n}", "basic_auth"},
		{"basic_auth above it", "http://localhost:8080 {\n" + password + placedOTP + "respond app\n}", "basic_auth"},
		{"respond, abort and error", "http://localhost:8080 {\n" + bad + "respond @bad 403\nabort @bad\nerror @bad 404\n" + placedOTP + "}", "abort, error, respond 403"},
		{"an answer that refuses nothing", ":8080 {\n" + placedOTP + "respond /health 200\n}", ""},
		{"what is left over", ":8080 {\n" + placedOTP + "respond 404\n}", ""},
		{"a route of the author's", "http://localhost:8080 {\n" + bad + "route {\n" + placedOTP + "respond @bad 403\n}\n}", ""},
		{"a route in the right order", ":8080 {\n" + bad + "route {\nabort @bad\n" + placedOTP + "respond app\n}\n}", ""},
		{"another site's", "http://localhost:8080 {\n" + placedOTP + "}\nhttp://b.localhost:8080 {\n" + password + "}", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := startLog(t, test.site)
			const warning = `run after the login`
			if strings.Contains(text, warning) != (test.want != "") || !strings.Contains(text, `"directives":"`+test.want) && test.want != "" {
				t.Errorf("want %q warned of:\n%s", test.want, text)
			}
		})
	}
}

// startLog is what is logged as sites start.
func startLog(t *testing.T, sites string) string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	c := run(t)
	config := c.withoutListeners("{\nadmin off\npersist_config off\nauto_https off\n}\n" + sites)
	config = bytes.Replace(config, []byte(`"output":"discard"`), []byte(`"output":"file","filename":"`+log+`"`), 1)
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
