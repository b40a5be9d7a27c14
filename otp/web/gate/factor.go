// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// hasFactor reports whether a session has the second factor that is needed: by
// the path's rule, recently enough; or because it is demanded of the session
// wherever one is needed.
func (n Need) hasFactor(x *otp.Session, demanded bool, now func() time.Time) bool {
	switch {
	case !n.SecondFactor && !(n.Session && demanded):
		return true
	case x.MFA.IsZero():
		return false
	}
	return n.Fresh == 0 || now().Sub(x.MFA) <= n.Fresh
}

// hasFactor is [Need.hasFactor], where the directory, the site or the person's
// own choice demands the factor.
func (g *Gate) hasFactor(n Need, x *otp.Session) bool {
	return n.hasFactor(x, x.Person.MFA || g.Service.DemandsFactor(*x), g.Cookie.Now)
}

// countsForNothing reports whether a session lacks the second factor without
// which it is nobody's on open paths too: an app that everybody reaches goes by
// who is signed in.
func (g *Gate) countsForNothing(x *otp.Session) bool {
	return x.MFA.IsZero() && g.Service.DemandsFactor(*x)
}

// refusePending answers a program whose session's second factor is yet to be
// proved (RFC 9470 §3).
func (g *Gate) refusePending(w http.ResponseWriter) {
	wire.SetPrivate(w.Header())
	w.Header().Set("WWW-Authenticate", `Bearer realm="`+g.Service.Realm()+`", error="insufficient_user_authentication"`)
	writeProblem(w, http.StatusUnauthorized, factorNeeded, way{"code", "MFA_REQUIRED"})
}

// HasFactor reports whether a session has the second factor that may be
// demanded of it wherever a session is needed.
func (g *Gate) HasFactor(x otp.Session) bool {
	return g.hasFactor(Need{Session: true}, &x)
}

const factorNeeded = "a second factor is needed"

// demandFactor answers somebody who is signed in and lacks the second factor
// that a path needs, in the way that their client understands. A preflight
// passes, as nobody's.
func (g *Gate) demandFactor(w http.ResponseWriter, r *http.Request, v Visitor, next Next) error {
	if mayPassAsPreflight(r) {
		makeHarmless(r)
		return g.pass(w, r, Visitor{}, next)
	}
	g.decided(FactorDemanded)
	h := w.Header()
	wire.SetPrivate(h)
	page := addressOf(g.MFAPath, g.returnAddress(r), "")
	switch {
	case isGRPC(r):
		failGRPC(w, r, permissionDenied, factorNeeded)
	case v.Bearer: // the page is for the session of the cookie alone
		writeProblem(w, http.StatusForbidden, factorNeeded)
	case WantsPage(r):
		h.Set("Location", page)
		w.WriteHeader(http.StatusSeeOther)
	default:
		if r.Header.Get("Hx-Request") == "true" && r.Header.Get("Upgrade") == "" {
			h.Set("Hx-Redirect", page)
		}
		writeProblem(w, http.StatusForbidden, factorNeeded, way{"mfa_url", g.Service.PublicURL().String() + page})
	}
	return nil
}
