// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
)

const (
	// attemptLifetime is how long a sign-in can take: a code's longest life
	// and some time to ask for another.
	attemptLifetime = 15 * time.Minute
	// maxReturnPath keeps the sealed cookie below the 4096 bytes that browsers
	// keep.
	maxReturnPath = gate.MaxReturnPath
)

// attempt is a sign-in or a second factor under way, between asking for a code
// and typing it.
type attempt struct {
	// Purpose is what the code is for; empty: a login.
	Purpose otp.Purpose `json:"p,omitempty"`
	// Session is the one that a second factor is for.
	Session otp.SessionID `json:"s,omitempty"`
	Channel otp.Channel   `json:"ch"`
	// Typed is the address as messages go to it.
	Typed string   `json:"a"`
	Form  otp.Form `json:"f"`
	// Return is where to go afterwards: a path on this site.
	Return string `json:"r"`
	// Browser lets the same browser repeat a request whose answer was lost.
	Browser string `json:"b"`
	// KnownBrowser is that which asks, for a second factor that of the session's
	// address; empty: the browser isn't known.
	KnownBrowser string `json:"k,omitempty"`
	// TOTP says that an authenticator app is asked for the code: there is no
	// address.
	TOTP bool `json:"o,omitempty"`
	// Again is set once another message was asked for.
	Again bool `json:"n,omitempty"`
	// Fresh is set where whoever is signed in must sign in again.
	Fresh bool `json:"x,omitempty"`
	// Locales are the languages that the login page was asked for in, or empty.
	Locales string `json:"l,omitempty"`
	// Expires is in Unix seconds.
	Expires int64 `json:"e"`

	address otp.Address
}

// attempts keeps attempts in the browser, sealed.
type attempts struct {
	cookie  gate.HostCookie
	service *otp.Service
	now     func() time.Time
}

const startUse = "start"

// StartCookieName returns the name of the cookie that a sign-in under way is
// kept in; the app has no business with it.
func StartCookieName(session *gate.SessionCookie) string {
	return gate.HostCookieName(session, startUse)
}

func newAttempts(g *gate.Gate) attempts {
	return attempts{
		cookie:  gate.NewHostCookie(g.Cookie, g.Service.Keys(), startUse, g.Service.Realm()),
		service: g.Service,
		now:     g.Cookie.Now,
	}
}

// set gives the browser an attempt.
func (s attempts) set(h http.Header, a attempt) error {
	a.Expires = s.now().Add(attemptLifetime).Unix()
	return s.cookie.Set(h, a, attemptLifetime)
}

// clear takes the attempt from the browser.
func (s attempts) clear(h http.Header) { s.cookie.Clear(h) }

// read returns the attempt for a purpose that a request belongs to.
func (s attempts) read(r *http.Request, purpose otp.Purpose) (a attempt, ok bool) {
	if !s.cookie.Read(r, &a) || s.now().Unix() >= a.Expires || cmp.Or(a.Purpose, otp.Login) != purpose {
		return a, false
	}
	if a.TOTP {
		return a, a.Purpose == otp.MFA
	}
	var err error
	a.address, err = s.service.ParseAddress(a.Channel, a.Typed)
	return a, err == nil
}

// returnPath is where to go after a sign-in: a path on this site. Of one that
// is too long the fragment goes first.
func returnPath(address string) string {
	if len(address) > maxReturnPath {
		address, _, _ = strings.Cut(address, "#")
	}
	if len(address) > maxReturnPath {
		return "/"
	}
	return gate.ReturnPath(address)
}

// newBrowser names a browser for as long as a sign-in takes.
func newBrowser() string { return rand.Text() }
