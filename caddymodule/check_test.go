// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"testing"
	"time"
)

// TestOriginsAreWrittenAsByBrowsers: they are compared with the header Origin.
func TestOriginsAreWrittenAsByBrowsers(t *testing.T) {
	for text, want := range map[string]string{
		"https://app.example.com":       "https://app.example.com",
		"https://app.example.com/":      "https://app.example.com",
		"HTTPS://App.Example.COM":       "https://app.example.com",
		"https://app.example.com:443":   "https://app.example.com",
		"http://app.example.com:80/":    "http://app.example.com",
		"https://app.example.com:80":    "https://app.example.com:80",
		"https://app.example.com:8443":  "https://app.example.com:8443",
		"http://localhost:3000":         "http://localhost:3000",
		"http://[::1]:3000":             "http://[::1]:3000",
		"https://münchen.example":       "https://xn--mnchen-3ya.example",
		"https://MÜNCHEN.example:8443/": "https://xn--mnchen-3ya.example:8443",
	} {
		got, err := parseOrigin(text)
		if err != nil || got.String() != want {
			t.Errorf("%s became %v (%v), not %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "*", "null", "app.example.com", "https:app.example.com", "https://", "https://:443", "https://app.example.com:",
		"https://app.example.com//", "https://app.example.com/a", "https://app.example.com?", "https://app.example.com?a=b",
		"https://app.example.com#a", "https://alice@app.example.com", "https://*.example.com", "wss://app.example.com",
		"https://münchen .example", "https://app.example.com:port", "https://\u202e.example",
	} {
		if got, err := parseOrigin(text); err == nil {
			t.Errorf("%q is taken as %s", text, got)
		}
	}
}

// TestLoopback: codes may be printed for these hosts, and cookies go without
// TLS.
func TestLoopback(t *testing.T) {
	for _, host := range []string{"localhost", "LOCALHOST", "app.localhost", "127.0.0.1", "127.255.1.2", "::1", "::ffff:127.0.0.1"} {
		if !isLoopback(host) {
			t.Errorf("%s isn't", host)
		}
	}
	for _, host := range []string{
		"", "example.com", "localhost.example.com", "notlocalhost", "127.0.0.1.example.com", "127.1", "128.0.0.1",
		"0.0.0.0", "::", "10.0.0.1", "192.168.1.1", "169.254.169.254", "fe80::1", "2130706433", "0x7f.1", "localhost.",
	} {
		if isLoopback(host) {
			t.Errorf("%s is", host)
		}
	}
}

func TestDurationsInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                               "0s",
		time.Second:                     "1s",
		90 * time.Second:                "1m30s",
		10 * time.Minute:                "10m",
		24 * time.Hour:                  "24h",
		365 * 24 * time.Hour:            "365d",
		50 * time.Hour:                  "50h",
		time.Hour + 10*time.Minute:      "1h10m",
		20 * time.Hour:                  "20h",
		100 * time.Millisecond:          "100ms",
		-5 * time.Minute:                "-5m",
		time.Hour + 20*time.Second:      "1h0m20s",
		48*time.Hour + 30*time.Minute:   "48h30m",
		30 * 24 * time.Hour:             "30d",
		10*time.Minute + 10*time.Second: "10m10s",
	} {
		if got := inWords(d); got != want {
			t.Errorf("%s is written %s, not %s", d, got, want)
		}
	}
}
