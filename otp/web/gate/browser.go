// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

const (
	// browserLifetime is how long a browser is known after a sign-in.
	browserLifetime = 90 * 24 * time.Hour
	// maxBrowserHandles is how many addresses a browser is known for.
	maxBrowserHandles = 4

	browserUse = "browser"
)

// Browser is a browser that somebody who signed in has called their own
// device.
type Browser struct {
	// ID is random and stays with the browser.
	ID string `json:"i"`
	// Issued is when the browser was first known, in Unix seconds.
	Issued int64 `json:"c"`
	// SignIns are of the addresses that signed in lately, the newest first.
	SignIns []SignIn `json:"s"`
}

// SignIn says that an address signed in with a browser.
type SignIn struct {
	// Handle is the store's name of the address.
	Handle otp.Handle `json:"h"`
	// At is when it last did, in Unix seconds.
	At int64 `json:"t"`
	// Budget is what the browser is known as for the address, by the session
	// that made it known; empty in older cookies: by the browser's ID. One session
	// makes one, in however many browsers: each has wrong guesses and messages of
	// its own, and a sign-in may be repeated for as long as its answer may be lost.
	Budget string `json:"b,omitempty"`
}

// Handles are the addresses that the browser is known for.
func (b Browser) Handles() []otp.Handle {
	var handles []otp.Handle
	for _, in := range b.SignIns {
		handles = append(handles, in.Handle)
	}
	return handles
}

// BrowserCookie is the cookie of a known browser. It opens nothing: it shows
// that whoever has it signed in here before, so that a form that is posted with
// an expired session can be kept. It says nothing readable of anybody, and the
// app doesn't get it. It also lets its browser go on, for the addresses that
// signed in with it, while the [otp.Breaker] refuses those that aren't known.
//
// Signing out leaves it, also signing out everywhere: it is there against being
// locked out, and without a code or a link nobody gets in with it.
type BrowserCookie struct {
	cookie HostCookie
	now    func() time.Time
}

func newBrowserCookie(c Config) BrowserCookie {
	return BrowserCookie{
		cookie: NewHostCookie(c.Cookie, c.Service.Keys(), browserUse, c.Service.Realm()),
		now:    c.Cookie.Now,
	}
}

// Remember makes the browser of a request known for the address that opens a
// session, or known for longer.
func (c BrowserCookie) Remember(h http.Header, r *http.Request, session otp.SessionID, handle otp.Handle) error {
	now := c.now().Unix()
	b, ok := c.Read(r)
	if !ok {
		b = Browser{ID: rand.Text(), Issued: now}
	}
	budget := b.budget(handle)
	if budget == "" {
		budget = budgetOf(session)
	}
	others := slices.DeleteFunc(b.SignIns, func(in SignIn) bool { return in.Handle == handle })
	b.SignIns = append([]SignIn{{handle, now, budget}}, others...)
	b.SignIns = b.SignIns[:min(len(b.SignIns), maxBrowserHandles)]
	return c.cookie.Set(h, b, browserLifetime)
}

func budgetOf(session otp.SessionID) string {
	sum := sha256.Sum256([]byte("caddy-otp known browser\x00" + string(session)))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// budget returns what the browser is known as for an address, or "".
func (b Browser) budget(handle otp.Handle) string {
	for _, in := range b.SignIns {
		if in.Handle == handle {
			return cmp.Or(in.Budget, b.ID)
		}
	}
	return ""
}

// Known returns what the browser that a request comes from is known as for an
// address, or "".
func (c BrowserCookie) Known(r *http.Request, handle otp.Handle) string {
	b, ok := c.Read(r)
	if !ok {
		return ""
	}
	return b.budget(handle)
}

// Read returns the known browser that a request comes from, with the sign-ins
// that still count.
func (c BrowserCookie) Read(r *http.Request) (b Browser, ok bool) {
	if !c.cookie.Read(r, &b) {
		return Browser{}, false
	}
	oldest := c.now().Add(-browserLifetime).Unix()
	b.SignIns = slices.DeleteFunc(b.SignIns, func(in SignIn) bool { return in.At <= oldest })
	return b, b.ID != "" && len(b.SignIns) > 0
}
