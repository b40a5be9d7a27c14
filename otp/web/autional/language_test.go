// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

func TestWaits(t *testing.T) {
	for _, tc := range []struct {
		kind     *kind
		seconds  int
		language string
		want     string
	}{
		{tooFrequent, 1, "en", "Asked for too often. Try again in 1 second."},
		{tooFrequent, 2, "", "Asked for too often. Try again in 2 seconds."},
		{tooFrequent, 1, "de", "Zu oft angefragt. Bitte in 1 Sekunde erneut versuchen."},
		{tooFrequent, 20, "de-AT", "Zu oft angefragt. Bitte in 20 Sekunden erneut versuchen."},
		{coolingDown, 1, "en", "Too many wrong codes. No code is accepted for 1 second."},
		{coolingDown, 1, "de", "Zu viele falsche Codes. Es wird noch 1 Sekunde lang kein Code angenommen."},
		{coolingDown, 30, "de", "Zu viele falsche Codes. Es wird noch 30 Sekunden lang kein Code angenommen."},
		{unavailable, 1, "en", "Logins can't be served right now. Try again in 1 second."},
		{unavailable, 5, "de", "Anmeldungen sind gerade nicht möglich. Bitte in 5 Sekunden erneut versuchen."},
	} {
		r := httptest.NewRequest(http.MethodPost, "/auth/login", nil)
		r.Header.Set("Accept-Language", tc.language)
		if got := tc.kind.detail.withWait(r, tc.seconds); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

func TestWaitIsSaid(t *testing.T) {
	s := newSite(t, webtest.Options{})
	s.FailStore(otp.ErrUnavailable)
	want := unavailable.detail.withWait(httptest.NewRequest(http.MethodPost, "/", nil), 1)
	if got := s.send(alice).Text("detail"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestLanguageCost: a list of languages is read a few times for a problem, not
// for each of its fields, of which a body can have a thousand.
func TestLanguageCost(t *testing.T) {
	d := dialectOf(Config{Dialect: newSite(t, webtest.Options{}).Dialect()})
	fields := make(fieldErrors, 1000)
	for i := range fields {
		fields[i] = fieldError{"x", "unknown", nil}
	}
	allocations := func(languages string) float64 {
		r := webtest.Request(http.MethodPost, "/auth/send-login-code", "", "Accept-Language", languages)
		return testing.AllocsPerRun(3, func() { d.problem(r, invalidParameter, fields) })
	}
	if none, many := allocations(""), allocations(strings.Repeat("sr-Latn-ME,", 20)+"de"); many > none+1000 {
		t.Errorf("%v allocations with languages, %v without", many, none)
	}
}
