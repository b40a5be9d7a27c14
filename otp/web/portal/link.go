// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// Fields of the link's form; the token is a query parameter too.
const (
	tokenField   = "token"
	browserField = "browser"
	// deviceField is sent where people sign in on a device of their own.
	deviceField = "device"
)

// linkPayload is what a link of ours carries.
type linkPayload struct {
	// ReturnTo is where to go afterwards: a path on this site.
	ReturnTo string `json:"return_to"`
}

// showLink asks whether to sign in. It uses nothing up and opens nothing:
// mail scanners come here too.
func (p *portal) showLink(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get(tokenField)
	l, err := p.openLink(token)
	if err != nil {
		p.refuseLink(w, r, l)
		return
	}
	p.render(w, http.StatusOK, p.linkPage(r, l, token, newBrowser(), true))
}

// redeemLink opens a session for a link, by the button on its page.
func (p *portal) redeemLink(w http.ResponseWriter, r *http.Request) error {
	form, err := wire.Parse(r, wire.Form)
	if err != nil {
		return err
	}
	token, browser, device := form.Text(tokenField), form.Text(browserField), form.Has(deviceField)
	l, err := p.openLink(token)
	if err != nil {
		p.refuseLink(w, r, l)
		return nil
	}
	presented := p.presented(r, browser)
	if l.Dialect != Name {
		presented.Due = otp.RefusePending // its clients get tokens that no gate sees
	}
	v, err := p.service.VerifyLink(r.Context(), l, presented)
	switch {
	case err == nil:
	case errors.Is(err, otp.ErrWrong), errors.Is(err, otp.ErrExpired), errors.Is(err, otp.ErrExhausted):
		p.refuseLink(w, r, l)
		return nil
	default:
		return p.refuse(w, p.linkPage(r, l, token, browser, device), err)
	}
	p.signIn(w, r, v.Session, device)
	if finish := p.FinishLink[l.Dialect]; finish != nil {
		finish(w, r, l, v)
		return nil
	}
	redirect(w, p.onward(v.Session, linkReturn(l)))
	return nil
}

// openLink reads a link that can be redeemed here: one for signing in, of
// these pages or of a dialect that finishes its own.
func (p *portal) openLink(token string) (otp.Link, error) {
	l, err := p.service.OpenLink(token)
	if err != nil {
		return otp.Link{}, err
	}
	if l.Purpose != otp.Login || l.Dialect != Name && p.FinishLink[l.Dialect] == nil {
		return otp.Link{}, otp.ErrWrong
	}
	return l, nil
}

// refuseLink says that a link can't be used, or not any more.
func (p *portal) refuseLink(w http.ResponseWriter, r *http.Request, l otp.Link) {
	words := p.words(r)
	page := p.messagePage(words, words.Page.LinkInvalidTitle, words.Page.LinkInvalid, p.toLogin(words, linkReturn(l)))
	p.render(w, http.StatusBadRequest, page)
}

// linkReturn is where a link leads after the sign-in.
func linkReturn(l otp.Link) string {
	var payload linkPayload
	if l.Dialect != Name || json.Unmarshal(l.Payload, &payload) != nil {
		return "/"
	}
	return returnPath(payload.ReturnTo)
}
