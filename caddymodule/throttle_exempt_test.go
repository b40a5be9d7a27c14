// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"strings"
	"testing"
)

func TestParseNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8":          "10.0.0.0/8",
		"192.0.2.1":           "192.0.2.1/32",
		"2001:DB8::/32":       "2001:db8::/32",
		"2001:db8::1":         "2001:db8::1/128",
		"::ffff:192.0.2.1":    "192.0.2.1/32",
		"::ffff:10.0.0.0/104": "10.0.0.0/8",
	} {
		if got, err := parseNetwork(text); err != nil || got.String() != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for text, advice := range map[string]string{
		"":               "such as 10.0.0.0/8",
		"office":         "such as 10.0.0.0/8",
		"10.0.0.0/33":    "such as 10.0.0.0/8",
		"10.0.0":         "such as 10.0.0.0/8",
		"fe80::1%eth0":   "such as 10.0.0.0/8",
		"10.0.0.1/8":     "write 10.0.0.0/8 for the network, or 10.0.0.1 for the address",
		"2001:db8::1/32": "write 2001:db8::/32 for the network, or 2001:db8::1 for the address",
		"0.0.0.0/0":      "can't be turned off",
		"::/0":           "can't be turned off",
		"::ffff:0:0/96":  "can't be turned off",
	} {
		if got, err := parseNetwork(text); err == nil || !strings.Contains(err.Error(), advice) {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
}

// TestExemptOfEarlierLevels: a site's own networks replace those of all sites.
func TestExemptOfEarlierLevels(t *testing.T) {
	site, all := Options{ThrottleExempt: []string{"10.0.0.0/8"}}, Options{ThrottleExempt: []string{"192.0.2.1"}}
	if got := site.over(all).ThrottleExempt; len(got) != 1 || got[0] != "10.0.0.0/8" {
		t.Errorf("of both: %v", got)
	}
	if got := (Options{}).over(all).ThrottleExempt; len(got) != 1 || got[0] != "192.0.2.1" {
		t.Errorf("of all sites: %v", got)
	}
}

func TestExemptFromPlaceholders(t *testing.T) {
	for value, ok := range map[string]bool{"10.0.0.0/8 192.0.2.1": true, "office": false, "": false} {
		t.Setenv("OTP_TEST_NETWORKS", value)
		_, err := provision(t, jsonOf(t, caddyfileOf("", loopback+"\nthrottle exempt {env.OTP_TEST_NETWORKS}")))
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "throttle exempt") {
			t.Errorf("%q: %v", value, err)
		}
	}
}
