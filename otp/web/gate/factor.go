// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// hasFactor reports whether a session has the second factor that is needed: by
// the path's rule, recently enough; or because the directory demands it of the
// person wherever a session is needed.
func (n Need) hasFactor(x otp.Session, now time.Time) bool {
	switch {
	case !n.SecondFactor && !(n.Session && x.Person.MFA):
		return true
	case x.MFA.IsZero():
		return false
	}
	return n.Fresh == 0 || now.Sub(x.MFA) <= n.Fresh
}

// HasFactor reports whether a session has the second factor that the directory
// may demand of its person wherever a session is needed.
func (g *Gate) HasFactor(x otp.Session) bool {
	return Need{Session: true}.hasFactor(x, g.Cookie.Now())
}

const factorNeeded = "a second factor is needed"

// demandFactor answers somebody who is signed in and lacks the second factor
// that a path needs, in the way that their client understands. A preflight
// passes, as nobody's.
func (g *Gate) demandFactor(w http.ResponseWriter, r *http.Request, v Visitor, next Next) error {
	if mayPassAsPreflight(r) {
		makeHarmless(r)
		return g.pass(w, r, otp.Session{}, next)
	}
	h := w.Header()
	wire.SetPrivate(h)
	page := addressOf(g.MFAPath, g.returnAddress(r), "")
	switch {
	case isGRPC(r):
		failGRPC(w, r, permissionDenied, factorNeeded)
	case v.Bearer: // the page is for the session of the cookie alone
		writeProblem(w, http.StatusForbidden, factorNeeded)
	case wantsPage(r):
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
