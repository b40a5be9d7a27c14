// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"regexp"
	"strings"
	"testing"
)

// caddyfiles are the whole Caddyfiles that a text shows.
var caddyfiles = regexp.MustCompile("(?s)```caddyfile\n(.*?)```")

// siteDirective is an otp in a site; in the global options it stands alone.
var siteDirective = regexp.MustCompile(`(?m)^\S.*\{\n(.*\n)*?\t+otp `)

// TestReadme: what the README shows is formatted, adapts and provisions.
func TestReadme(t *testing.T) {
	t.Setenv("SMTP_PASSWORD", "hunter2")
	t.Setenv("REDIS_PASSWORD", "hunter2")
	t.Setenv("OTP_SECRET", testSecret)
	shown := caddyfiles.FindAllStringSubmatch(readFile(t, "..", "README.md"), -1)
	if len(shown) < 4 {
		t.Fatalf("%d Caddyfiles are shown", len(shown))
	}
	for _, found := range shown {
		caddyfile := found[1]
		if want := formatted(caddyfile); caddyfile != want {
			t.Errorf("`caddy fmt` makes of it\n%s", want)
		}
		adapted, err := adapt(t, caddyfile)
		if err != nil {
			t.Errorf("%v\n%s", err, caddyfile)
			continue
		}
		handlers, err := provision(t, isolated(t, []byte(adapted)))
		if err != nil || len(handlers) != len(siteDirective.FindAllString(caddyfile, -1)) {
			t.Errorf("%d handlers, %v\n%s", len(handlers), err, caddyfile)
		}
	}
}

// TestReadmeNamesEveryOption: the table has a row of each.
func TestReadmeNamesEveryOption(t *testing.T) {
	readme := readFile(t, "..", "README.md")
	for _, option := range siteOptions {
		if !strings.Contains(readme, "| `"+option) && !strings.Contains(readme, "`, `"+option+" <") {
			t.Errorf("the table lacks %s", option)
		}
	}
}
