// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"net/url"
	"strings"
	"testing"
)

// TestAddressIsWarnedOf starts sites at other addresses than they say.
func TestAddressIsWarnedOf(t *testing.T) {
	const otp = " {\notp {\npublic_url http://localhost:8080\n}\nrespond app\n}"
	for site, want := range map[string]bool{
		"http://localhost:8080" + otp: false,
		":8080" + otp:                 false,
		"http://localhost:8080, http://other.localhost:8080" + otp: false,
		"http://*.localhost:8080, http://localhost:8080" + otp:     false,
		"http://other.localhost:8080" + otp:                        true,
		"http://*.localhost:8080" + otp:                            true,
	} {
		if log := startLog(t, site); strings.Contains(log, "public_url is none of the addresses") != want {
			t.Errorf("%s: want a warning: %v\n%s", site, want, log)
		}
	}
}

func TestServesPort(t *testing.T) {
	for _, tc := range []struct {
		url    string
		listen []string
		want   bool
	}{
		{"http://localhost:9303", []string{":9302"}, false},
		{"http://localhost:9302", []string{":9301", "127.0.0.1:9302"}, true},
		{"http://localhost:9302", []string{":9300-9310"}, true},
		{"http://localhost", []string{":9302"}, true}, // a proxy may stand in front
		{"https://app.example.com", []string{":8443"}, true},
		{"http://localhost:9302", []string{"unix//run/app.sock"}, true},
		{"http://localhost:9302", nil, true},
	} {
		u, err := url.Parse(tc.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := servesPort(tc.listen, u); got != tc.want {
			t.Errorf("%s on %v: %v", tc.url, tc.listen, got)
		}
	}
}
