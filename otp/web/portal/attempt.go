// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

const (
	// attemptLifetime is how long a sign-in can take: a code's longest life
	// and some time to ask for another.
	attemptLifetime = 15 * time.Minute
	// maxReturnPath bounds what is kept of where to go afterwards, so that the
	// sealed cookie stays below the 4096 bytes that browsers keep.
	maxReturnPath = 1 << 10
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
	// Again is set once another message was asked for.
	Again bool `json:"n,omitempty"`
	// Expires is in Unix seconds.
	Expires int64 `json:"e"`

	address otp.Address
}

// attempts keeps attempts in the browser, sealed.
type attempts struct {
	name    string
	secure  bool
	service *otp.Service
	sealer  *otp.Sealer
	now     func() time.Time
}

// StartCookieName returns the name of the cookie that a sign-in under way is
// kept in; the app has no business with it.
func StartCookieName(session *gate.SessionCookie) string {
	// It is for this host alone even where sessions are for a whole domain.
	if host, ok := strings.CutPrefix(session.Name, "__Secure-"); ok {
		return "__Host-" + host + "-start"
	}
	return session.Name + "-start"
}

func newAttempts(g *gate.Gate) attempts {
	return attempts{
		name:    StartCookieName(g.Cookie),
		secure:  g.Cookie.Secure,
		service: g.Service,
		sealer:  g.Service.Keys().Sealer("start cookie"),
		now:     g.Cookie.Now,
	}
}

// set gives the browser an attempt.
func (s attempts) set(h http.Header, a attempt) error {
	a.Expires = s.now().Add(attemptLifetime).Unix()
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false) // a query's ampersands would take six bytes each
	if err := encoder.Encode(a); err != nil {
		return err
	}
	cookie := s.cookie(s.sealer.SealText(plain.Bytes(), s.service.Realm()))
	cookie.MaxAge = int(attemptLifetime / time.Second)
	h.Add("Set-Cookie", cookie.String())
	return nil
}

// clear takes the attempt from the browser.
func (s attempts) clear(h http.Header) {
	cookie := s.cookie("")
	cookie.MaxAge = -1
	h.Add("Set-Cookie", cookie.String())
}

func (s attempts) cookie(value string) *http.Cookie {
	return &http.Cookie{
		Name:     s.name,
		Value:    value,
		Path:     "/",
		Secure:   s.secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// read returns the attempt for a purpose that a request belongs to.
func (s attempts) read(r *http.Request, purpose otp.Purpose) (a attempt, ok bool) {
	value, ok := wire.SoleCookie(r, s.name)
	if !ok {
		return a, false
	}
	plain, _, err := s.sealer.OpenText(value, s.service.Realm())
	if err != nil || json.Unmarshal(plain, &a) != nil || s.now().Unix() >= a.Expires || cmp.Or(a.Purpose, otp.Login) != purpose {
		return a, false
	}
	a.address, err = s.service.ParseAddress(a.Channel, a.Typed)
	return a, err == nil
}

// returnPath is where to go after a sign-in: a path on this site.
func returnPath(address string) string {
	if len(address) > maxReturnPath {
		return "/"
	}
	return gate.ReturnPath(address)
}

// newBrowser names a browser for as long as a sign-in takes.
func newBrowser() string { return rand.Text() }
