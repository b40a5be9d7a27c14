// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"bytes"
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

// attempt is a sign-in under way, between asking for a code and typing it.
type attempt struct {
	Channel otp.Channel `json:"ch"`
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
func StartCookieName(session *gate.SessionCookie) string { return hostCookieName(session, "-start") }

// hostCookieName returns the name of a cookie that is for this host alone even
// where sessions are for a whole domain.
func hostCookieName(session *gate.SessionCookie, suffix string) string {
	if host, ok := strings.CutPrefix(session.Name, "__Secure-"); ok {
		return "__Host-" + host + suffix
	}
	return session.Name + suffix
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
	plain, err := compact(a)
	if err != nil {
		return err
	}
	cookie := hostCookie(s.name, s.sealer.SealText(plain, s.service.Realm()), s.secure)
	cookie.MaxAge = int(attemptLifetime / time.Second)
	h.Add("Set-Cookie", cookie.String())
	return nil
}

// compact is a value's JSON with a query's ampersands as they are: escaped they
// would take six bytes each.
func compact(value any) ([]byte, error) {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return plain.Bytes(), err
}

// clear takes the attempt from the browser.
func (s attempts) clear(h http.Header) {
	cookie := hostCookie(s.name, "", s.secure)
	cookie.MaxAge = -1
	h.Add("Set-Cookie", cookie.String())
}

// hostCookie returns a cookie that is for this host alone.
func hostCookie(name, value string, secure bool) *http.Cookie {
	return &http.Cookie{
		Name:     name,
		Value:    value,
		Path:     "/",
		Secure:   secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// read returns the attempt that a request belongs to.
func (s attempts) read(r *http.Request) (a attempt, ok bool) {
	value, ok := wire.SoleCookie(r, s.name)
	if !ok {
		return a, false
	}
	plain, _, err := s.sealer.OpenText(value, s.service.Realm())
	if err != nil || json.Unmarshal(plain, &a) != nil || s.now().Unix() >= a.Expires {
		return a, false
	}
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
