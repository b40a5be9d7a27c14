// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"net/http"
	"strings"
	"testing"
)

// TestParseURL: plain http stays in the house, and no error quotes what may be
// secret.
func TestParseURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://api.example.com/a?b=c":       "",
		"https://alice:pw@api.example.com":    "",
		"http://localhost:8080":               "",
		"http://127.0.0.1":                    "",
		"http://[::1]:80/":                    "",
		"http://[::ffff:10.0.0.1]/":           "",
		"http://192.168.1.1/":                 "",
		"http://169.254.1.1/":                 "",
		"http://people":                       "",
		"http://people.internal.":             "",
		"http://app.localhost":                "",
		"http://8.8.8.8/s3cret":               "url http://8.8.8.8 would send codes in the clear; write https://8.8.8.8",
		"http://internal.example.com/s3cret":  "url http://internal.example.com would send codes in the clear",
		"http://10.0.0.1.example.com/s3cret":  "url http://10.0.0.1.example.com would send codes in the clear",
		"ftp://example.com/s3cret":            `url "ftp://example.com" can't be used; write one like https://e`,
		"https://example.com/#s3cret":         `url "https://example.com" can't be used`,
		"https:///s3cret":                     "can't be used",
		"example.com/s3cret":                  "url can't be used",
		"https://s3cret:%zz@example.com/":     "url can't be used",
		"https://example.com:s3cret@a b.com/": "url can't be used",
	} {
		_, err := ParseURL(text, "codes", "https://e")
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret")):
			t.Errorf("%s: error is %v, not %s", text, err, want)
		}
	}
}

// TestProxyError: the environment's own error would quote a password.
func TestProxyError(t *testing.T) {
	if err := NetworkCause(errProxy); err != errProxy {
		t.Errorf("cause is %v", err)
	}
}

func TestClientFollowsNoRedirects(t *testing.T) {
	client := NewClient()
	if client.CheckRedirect(nil, nil) != http.ErrUseLastResponse {
		t.Error("redirects are followed")
	}
}
