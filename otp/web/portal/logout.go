// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// showLogout asks whether to sign out, or says that nobody is signed in.
func (p *portal) showLogout(w http.ResponseWriter, r *http.Request) {
	x, ok := p.signedIn(r)
	if !ok {
		p.render(w, http.StatusOK, p.signedOutPage(r))
		return
	}
	p.render(w, http.StatusOK, p.logoutPage(r, x))
}

// logout ends the browser's session, or all of the person's where the form
// says so, and leads to another login where the request says what that is for.
// The cookie is cleared even where the store can't be told; then the page says
// so.
func (p *portal) logout(w http.ResponseWriter, r *http.Request) error {
	form, err := wire.Parse(r, wire.Form)
	if err != nil && !errors.Is(err, wire.ErrMediaType) { // scripts post no form
		return err
	}
	var failure error
	if form.Has(everywhereField) {
		failure = p.signOutEverywhere(r)
	}
	if err := p.endSessions(w, r); err != nil {
		failure = err
	}
	if failure != nil {
		p.report(r, failure)
		wire.SetRetryAfter(w.Header(), failure)
		p.render(w, wire.Status(failure), p.halfSignedOutPage(r))
		return nil
	}
	if query := r.URL.Query(); query.Has(gate.ReturnParameter) {
		redirect(w, p.loginAddress(returnPath(query.Get(gate.ReturnParameter))))
		return nil
	}
	redirect(w, p.Path+"/logout")
	return nil
}

// endSessions ends the browser's sessions and clears its cookies, even where the
// store can't be told: then it returns the store's error.
func (p *portal) endSessions(w http.ResponseWriter, r *http.Request) (failure error) {
	for _, x := range p.sessions(r) {
		if err := p.service.SignOut(r.Context(), x.ID, x.Expires); err != nil {
			failure = err
		}
	}
	p.Gate.Cookie.Clear(w.Header())
	p.attempts.clear(w.Header())
	if p.handsOff() {
		p.handoffs.cookie.Clear(w.Header())
	}
	return failure
}

// signOutEverywhere ends all sessions of the person who is signed in. A session
// that doesn't hold any more has no say over the others.
func (p *portal) signOutEverywhere(r *http.Request) error {
	visitor, err := p.visitor(r)
	if err != nil || !visitor.SignedIn() {
		return err
	}
	return p.service.SignOutEverywhere(r.Context(), visitor.Session.Subject, p.LongestSession)
}

// signedIn returns the session of the browser's cookie if it is known to hold.
func (p *portal) signedIn(r *http.Request) (x otp.Session, ok bool) {
	visitor, err := p.visitor(r)
	if err != nil || !visitor.SignedIn() {
		return x, false
	}
	return *visitor.Session, true
}

// visitor returns who the browser's cookies belong to. A bearer token is a
// program's and has no say here. The error is that of [gate.Gate.Identify].
func (p *portal) visitor(r *http.Request) (gate.Visitor, error) {
	browser := *r
	browser.Header = r.Header.Clone()
	browser.Header.Del("Authorization")
	return p.Gate.Identify(&browser)
}

// sessions returns the sessions in the browser's cookies, whether or not they
// still hold.
func (p *portal) sessions(r *http.Request) []otp.Session {
	var all []otp.Session
	for _, cookie := range r.CookiesNamed(p.Gate.Cookie.Name) {
		if x, _, _, err := p.Gate.Cookie.Sealed.Open(cookie.Value); err == nil {
			all = append(all, x)
		}
	}
	return all
}
