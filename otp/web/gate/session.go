// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// sessionBody is who is signed in. What isn't known is empty.
type sessionBody struct {
	User    string    `json:"user"`
	Email   string    `json:"email"`
	Phone   string    `json:"phone"`
	Groups  []string  `json:"groups"`
	Subject string    `json:"subject"`
	Method  string    `json:"method"`
	MFA     string    `json:"mfa"`
	Created time.Time `json:"created_at"`
	Expires time.Time `json:"expires_at"`
}

// ServeSession tells a program who makes a request, for pages that show it and
// for proxies of other sites that ask first (forward_auth): 200 with JSON and
// the identity headers, or 401 where nobody is signed in. Nothing but the
// request's cookies and bearer token decides; what it says of a request that
// was made elsewhere is the asker's business. To ask doesn't prolong a session.
func (g *Gate) ServeSession(w http.ResponseWriter, r *http.Request) {
	wire.SetPrivate(w.Header())
	visitor, err := g.Identify(r)
	x := visitor.Session
	switch {
	case err != nil:
		failPlainly(w, fmt.Errorf("%w: %w", ErrUnchecked, err), unchecked)
		return
	case !visitor.SignedIn():
		g.unauthorized(w, g.LoginPath)
		return
	case !g.HasFactor(*x):
		var ways []way
		if !visitor.Bearer { // the page is for the session of the cookie alone
			ways = append(ways, way{"mfa_url", g.Service.PublicURL().String() + g.MFAPath})
		}
		writeProblem(w, http.StatusForbidden, factorNeeded, ways...)
		return
	}
	if err := g.tell(r.Context(), w.Header(), x); err != nil {
		failPlainly(w, fmt.Errorf("%w: %w", ErrUnchecked, err), unchecked)
		return
	}
	wire.WriteJSON(w, http.StatusOK, sessionBody{
		User:    User.Of(x),
		Email:   Email.Of(x),
		Phone:   Phone.Of(x),
		Groups:  append([]string{}, x.Person.Groups...),
		Subject: x.Subject,
		Method:  Method.Of(x),
		MFA:     MFA.Of(x),
		Created: x.Created.UTC().Truncate(time.Second),
		Expires: x.Expires.UTC().Truncate(time.Second),
	})
}
