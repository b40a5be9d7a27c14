// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// remember lets an address sign in with the browser of a cookie's value, which
// may be empty, and returns the new one.
func (h *house) remember(value, typed string) string {
	h.t.Helper()
	header := http.Header{}
	id := otp.SessionID("00" + rand.Text())
	if err := h.Browser.Remember(header, withBrowser(value), id, h.Service.Handle(session(h.t, typed).Address)); err != nil {
		h.t.Fatal(err)
	}
	cookie, err := http.ParseSetCookie(header.Get("Set-Cookie"))
	if err != nil {
		h.t.Fatal(err)
	}
	if got := strings.Replace(header.Get("Set-Cookie"), cookie.Value, "V", 1); got != "__Host-otp-browser=V; Path=/; Max-Age=7776000; HttpOnly; Secure; SameSite=Lax" {
		h.t.Fatal(got)
	}
	return cookie.Value
}

func withBrowser(value string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "__Host-otp-browser="+value)
	return r
}

func TestBrowser(t *testing.T) {
	h := newHouse(t, nil)
	handle := func(typed string) otp.Handle { return h.Service.Handle(session(t, typed).Address) }
	jane := h.remember("", "jane@example.com")
	b, ok := h.Browser.Read(withBrowser(jane))
	if !ok || len(b.ID) != 26 || !slices.Equal(b.Handles(), []otp.Handle{handle("jane@example.com")}) || time.Since(time.Unix(b.Issued, 0)).Abs() > time.Minute {
		t.Fatalf("%+v, %v", b, ok)
	}
	raw, err := base64.RawURLEncoding.DecodeString(jane)
	if err != nil || strings.Contains(string(raw), "jane") || strings.Contains(string(raw), b.ID) || strings.Contains(string(raw), string(b.SignIns[0].Handle)) {
		t.Errorf("%q, %v", raw, err)
	}

	// The id and the first time stay, the newest address comes first.
	h.ahead = 80 * 24 * time.Hour
	both := h.remember(jane, "joe@example.com")
	h.ahead += time.Hour
	both = h.remember(both, "jane@example.com")
	got, ok := h.Browser.Read(withBrowser(both))
	if !ok || got.ID != b.ID || got.Issued != b.Issued || !slices.Equal(got.Handles(), []otp.Handle{handle("jane@example.com"), handle("joe@example.com")}) {
		t.Errorf("%+v, %v; was %+v", got, ok, b)
	}
	// Each address is known for as long as it has signed in lately.
	h.ahead = 90*24*time.Hour + time.Minute
	if _, ok := h.Browser.Read(withBrowser(jane)); ok {
		t.Error("a browser is known after 90 days without a sign-in")
	}
	h.ahead = 170*24*time.Hour + 30*time.Minute
	if got, ok = h.Browser.Read(withBrowser(both)); !ok || !slices.Equal(got.Handles(), []otp.Handle{handle("jane@example.com")}) {
		t.Errorf("%+v, %v", got, ok)
	}
	if again, _ := h.Browser.Read(withBrowser(h.remember(jane, "jane@example.com"))); again.ID == b.ID || again.Issued == b.Issued {
		t.Errorf("a browser that isn't known any more goes on as %+v", again)
	}

	crowd := ""
	for i := range 9 {
		crowd = h.remember(crowd, "user"+strconv.Itoa(i)+"@example.com")
	}
	if got, ok = h.Browser.Read(withBrowser(crowd)); !ok || len(got.SignIns) != 4 || got.SignIns[0].Handle != handle("user8@example.com") || got.SignIns[3].Handle != handle("user5@example.com") {
		t.Errorf("%+v, %v", got, ok)
	}
	if len(crowd) > 1024 {
		t.Errorf("the cookie has %d bytes", len(crowd))
	}
}

func TestBrowserRefused(t *testing.T) {
	h := newHouse(t, nil)
	jane := h.remember("", "jane@example.com")
	other := newHouse(t, func(_ *Config, oc *otp.Config) { oc.Realm = "other.example.com" })
	foreign := newHouse(t, func(_ *Config, oc *otp.Config) { oc.Keys = testKeys(t, "another") })
	requests := map[string]*http.Request{
		"none":           httptest.NewRequest(http.MethodGet, "/", nil),
		"empty":          withBrowser(""),
		"noise":          withBrowser(strings.Repeat("A", 100)),
		"cut":            withBrowser(jane[:len(jane)-4]),
		"another realm":  withBrowser(other.remember("", "jane@example.com")),
		"another secret": withBrowser(foreign.remember("", "jane@example.com")),
		"two":            withBrowser(jane + "; __Host-otp-browser=" + jane),
		"a session":      withBrowser(h.sealed(session(t, "jane@example.com"))),
		"nobody's":       withBrowser(h.Browser.cookie.sealer.SealText([]byte(`{"i":"x"}`), "app.example.com")),
		"no JSON":        withBrowser(h.Browser.cookie.sealer.SealText([]byte(`x`), "app.example.com")),
	}
	for name, r := range requests {
		if b, ok := h.Browser.Read(r); ok {
			t.Errorf("%s: %+v", name, b)
		}
	}
	r := h.as(session(t, "jane@example.com"), http.MethodGet, "/admin")
	r.Header.Set("Cookie", r.Header.Get("Cookie")+"; a=1; __Host-otp-browser="+jane+"; __Host-otp-form=x")
	if h.do(r); h.passed == nil || h.passed.Header.Get("Cookie") != "a=1" {
		t.Errorf("the app gets %v", h.passed)
	}
}

func TestTemporarySession(t *testing.T) {
	h := newHouse(t, nil)
	x := session(t, "jane@example.com")
	x.Temporary = true
	r := h.as(x, http.MethodGet, "/admin")
	h.ahead = 7 * time.Hour // a quarter of the idle time is over
	line := h.do(r).Header().Get("Set-Cookie")
	cookie, err := http.ParseSetCookie(line)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(line, "Max-Age") || strings.Contains(line, "Expires") {
		t.Errorf("it outlives the browser once it is set anew: %s", line)
	}
	if got, _, _, err := h.Cookie.Sealed.Open(cookie.Value); err != nil || !got.Temporary || got.ID != x.ID {
		t.Errorf("%+v, %v", got, err)
	}
}
