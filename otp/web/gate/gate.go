// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"cmp"
	"errors"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// Config is what a [Gate] needs.
type Config struct {
	Service *otp.Service
	Issuer  *token.Issuer
	Cookie  *SessionCookie
	Rules   Rules
	// Identity is how the app is told who is signed in; nil: by the default
	// headers.
	Identity *Identity
	// LoginPath is the path of the login page.
	LoginPath string
	// FormPath is the path of the page that asks whether to send a form that
	// was kept.
	FormPath string
	// MFAPath is the path of the page where a session gets its second factor.
	MFAPath string
	// TokenCookies are names of cookies in which the browser clients of an API
	// keep their tokens. The app may have its own of these names; it doesn't
	// get ours.
	TokenCookies []string
	// TrustCookie is the name of the one in which they keep that their device
	// is trusted, and of the header of clients without cookies; or empty. The
	// app doesn't get ours either.
	TrustCookie string
	// HiddenCookies are names of further cookies of ours that the app has no
	// business with.
	HiddenCookies []string
	// FailPage answers a browser that navigates with a page, where the path
	// needs a session and none can be checked ([ErrUnchecked]), or one of
	// somebody else ([wire.ErrForbidden]). Programs get problem details, and
	// so do browsers where it is nil.
	FailPage func(http.ResponseWriter, *http.Request, error)
	// OnIdentity is told who makes a request that passes; nil is nobody. The
	// session is shared: it mustn't be changed. OnIdentity may be nil.
	OnIdentity func(r *http.Request, x *otp.Session)
	// OnDecision is told once of each request for the app what becomes of it,
	// before it passes. It returns at once. It may be nil.
	OnDecision func(Decision)
}

// Gate decides on the requests for the app.
type Gate struct {
	Config
	// Browser is the cookie of known browsers.
	Browser BrowserCookie
	// Forms are those that are kept for browsers whose session is over.
	Forms *Forms

	hidden     []string
	assertions *assertions // nil: there are none
}

// New returns a gate.
func New(c Config) *Gate {
	c.Identity = cmp.Or(c.Identity, NewIdentity(nil, ""))
	g := &Gate{Config: c, Browser: newBrowserCookie(c)}
	g.Forms = newForms(g)
	g.hidden = append([]string{c.Cookie.Name, g.Browser.cookie.name, g.Forms.cookie.name}, c.HiddenCookies...)
	if c.Identity.assertion != "" {
		g.assertions = newAssertions(c.Issuer, c.Service.PublicURL().Host)
	}
	return g
}

// Next is the app.
type Next func(w http.ResponseWriter, r *http.Request) error

// Serve passes a request to the app with the identity headers of who makes
// it, or answers it where the path needs a session and there is none. The
// client's own identity headers must have been stripped.
func (g *Gate) Serve(w http.ResponseWriter, r *http.Request, next Next) error {
	refuseTunnel(r.Header)
	visitor, err := g.Identify(r)
	need := g.need(r)
	if visitor.SignedIn() && !need.Session && g.countsForNothing(visitor.Session) {
		visitor = Visitor{}
	}
	if need.Session && !visitor.SignedIn() {
		switch {
		case err != nil:
			g.decided(Unchecked)
			g.failUnchecked(w, r, err)
			return nil
		case visitor.pending && !mayPassAsPreflight(r) && !WantsPage(r) && !isGRPC(r):
			g.decided(FactorDemanded)
			g.refusePending(w)
			return nil
		case !mayPassAsPreflight(r):
			g.decided(Refused)
			g.refuse(w, r)
			return nil
		}
		makeHarmless(r)
	}
	if visitor.SignedIn() {
		switch {
		case !need.admits(&visitor.Session.Person):
			g.decided(Forbidden)
			g.forbid(w, r)
			return nil
		case !g.hasFactor(need, visitor.Session):
			return g.demandFactor(w, r, visitor, next)
		}
		if err := g.tell(r.Context(), r.Header, visitor.Session); err != nil {
			g.decided(Unchecked)
			g.failUnchecked(w, r, err)
			return nil
		}
		if err := g.Forms.replay(r, visitor.Session); err != nil { // last, since it uses the form up
			g.decided(FormRefused)
			g.failForm(w, r, err)
			return nil
		}
		if mayLast(r) {
			followed, release := g.follow(w, r, visitor.Session, need)
			defer release()
			r = followed
		} else {
			stream := &streamWriter{ResponseWriter: w, gate: g, request: r, session: visitor.Session, need: need}
			defer stream.end()
			w = stream
		}
		if visitor.renew && r.Header.Get("Upgrade") == "" {
			w = &renewingWriter{ResponseWriter: w, cookie: g.Cookie, session: visitor.Session}
		}
	}
	return g.pass(w, r, visitor, next)
}

// pass hands a request of who has a session, or of nobody, to the app.
func (g *Gate) pass(w http.ResponseWriter, r *http.Request, v Visitor, next Next) error {
	g.decided(v.passes())
	if g.OnIdentity != nil {
		g.OnIdentity(r, v.Session)
	}
	hideCookies(r.Header, g.isOurCookie)
	if g.TrustCookie != "" && g.isOurCookie(g.TrustCookie, r.Header.Get(g.TrustCookie)) {
		r.Header.Del(g.TrustCookie)
	}
	return next(w, r)
}

// mayPassAsPreflight tells requests that browsers make without credentials,
// and that pass without them.
func mayPassAsPreflight(r *http.Request) bool {
	return wire.IsPreflight(r) && r.Header.Get("Upgrade") == ""
}

var methodOverrides = newNameSet("X-Http-Method-Override", "X-Http-Method", "X-Method-Override")

// makeHarmless takes from a preflight what could turn it into another
// request behind us.
func makeHarmless(r *http.Request) {
	for name := range r.Header {
		if methodOverrides.has(name) {
			delete(r.Header, name)
		}
	}
	r.Body = http.NoBody
	r.ContentLength = 0
	r.TransferEncoding = nil
}

// refuseTunnel takes the offer of another HTTP version out of a request. A
// proxy passes it on, and an app that accepts it gets all that follows on the
// connection past us: any path, under any name (RFC 9113 §3.1 has retired it).
func refuseTunnel(h http.Header) {
	offers := h["Upgrade"]
	if offers == nil {
		return
	}
	delete(h, "Http2-Settings")
	var kept []string
	for _, offer := range offers {
		for protocol := range strings.SplitSeq(offer, ",") {
			name, _, _ := strings.Cut(textproto.TrimString(protocol), "/")
			if !strings.EqualFold(name, "h2c") && !strings.EqualFold(name, "http") {
				kept = append(kept, textproto.TrimString(protocol))
			}
		}
	}
	if kept == nil {
		delete(h, "Upgrade")
		return
	}
	h["Upgrade"] = []string{strings.Join(kept, ", ")}
}

// isOurCookie reports whether the app has no business with a cookie.
func (g *Gate) isOurCookie(name, value string) bool {
	return slices.Contains(g.hidden, name) || slices.Contains(g.TokenCookies, name) && g.Issuer.Names(value) ||
		g.TrustCookie != "" && name == g.TrustCookie && g.Service.IsTrust(value)
}

// Visitor is who makes a request.
type Visitor struct {
	// Session is the visitor's, or nil. It is shared: nobody changes it.
	Session *otp.Session
	// Bearer is true where an access token proved it, not the session cookie.
	Bearer bool

	renew bool
	// pending is true where a token is of a session whose second factor is yet
	// to be proved.
	pending bool
}

// SignedIn reports whether the visitor has a session.
func (v Visitor) SignedIn() bool { return v.Session != nil }

// Identify returns who makes a request: by a bearer token of ours, else by
// the session cookie, else by an access token in a cookie. A session that has
// ended, was revoked, or belongs to somebody who may no longer sign in is
// nobody's. Where that can't be told, the visitor is nobody and err says why.
func (g *Gate) Identify(r *http.Request) (Visitor, error) {
	if bearer := wire.Bearer(r); bearer != "" {
		if visitor, ours, err := g.byToken(r, bearer); ours || err != nil {
			return visitor, err
		}
	}
	if x, renew, ok := g.Cookie.read(r); ok {
		x, err := g.Service.Check(r.Context(), x)
		switch {
		case err == nil:
			return Visitor{Session: x, renew: renew}, nil
		case !errors.Is(err, otp.ErrNoSession): // a dead cookie hides no live one
			return Visitor{}, err
		}
	}
	for _, name := range g.TokenCookies {
		if value, ok := wire.SoleCookie(r, name); ok {
			if visitor, _, err := g.byToken(r, value); visitor.SignedIn() || visitor.pending || err != nil {
				return visitor, err
			}
		}
	}
	return Visitor{}, nil
}

// byToken returns who an access token proves. ours is false where it is none
// of this realm, or too old.
func (g *Gate) byToken(r *http.Request, raw string) (visitor Visitor, ours bool, err error) {
	x, err := g.Issuer.Check(r.Context(), raw)
	switch {
	case err == nil:
		return Visitor{Session: x, Bearer: true}, true, nil
	case errors.Is(err, otp.ErrNoSession):
		return Visitor{pending: errors.Is(err, otp.ErrPending)}, true, nil
	case errors.Is(err, token.ErrInvalid), errors.Is(err, token.ErrExpired):
		return Visitor{}, false, nil
	}
	return Visitor{}, false, err
}
