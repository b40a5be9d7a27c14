// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestBearer(t *testing.T) {
	for authorization, want := range map[string]string{
		"Bearer abc":      "abc",
		"bearer abc":      "abc",
		"BEARER abc":      "abc",
		"Bearer abc, def": "abc, def",
		"Bearer  abc":     " abc",
		"":                "",
		"Bearer":          "",
		"Bearer ":         "",
		"Bearerabc":       "",
		"Bearer\tabc":     "",
		" Bearer abc":     "",
		"Basic abc":       "",
		"Token abc":       "",
		"bea\u0280er abc": "",
		"\u212Aearer abc": "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.Header.Set("Authorization", authorization)
		if got := Bearer(r); got != want {
			t.Errorf("%q: %q, want %q", authorization, got, want)
		}
	}
	if got := Bearer(httptest.NewRequest(http.MethodGet, "/x", nil)); got != "" {
		t.Errorf("without the header: %q", got)
	}
}

func TestCaller(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/x", nil)
	r.RemoteAddr = "192.0.2.99:1"
	r.Header.Set("X-Forwarded-For", "192.0.2.98")
	if c := CallerOf(r); c.IP.IsValid() || c.RequestID() != "" || c.Trace() != (Trace{}) {
		t.Errorf("nobody has told: %+v", c)
	}
	told := Trace{ID: strings.Repeat("a", 32), Span: strings.Repeat("b", 16), Flags: "01"}
	for _, trace := range []Trace{told, {}} {
		c := CallerOf(WithCaller(r, Caller{
			IP:        netip.MustParseAddr("192.0.2.1"),
			RequestID: func() string { return "r1" },
			Trace:     func() Trace { return trace },
		}))
		if c.IP != netip.MustParseAddr("192.0.2.1") || c.RequestID() != "r1" {
			t.Errorf("%v, %q", c.IP, c.RequestID())
		}
		if got := c.Trace(); got == (Trace{}) || got != c.Trace() || trace == told && got != told {
			t.Errorf("told %v, the trace is %v, then %v", trace, got, c.Trace())
		}
	}
}

func TestLanguages(t *testing.T) {
	for sent, want := range map[string]string{
		"de, en;q=0.5":           "de, en;q=0.5",
		"":                       "",
		strings.Repeat("a", 256): strings.Repeat("a", 256),
		strings.Repeat("a", 257): "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.Header.Set("Accept-Language", sent)
		if got := Languages(r); got != want {
			t.Errorf("%.20q: %.20q", sent, got)
		}
	}
}
