// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// Fields of the login form besides [gate.ReturnParameter].
const (
	addressField = "address"
	// againField asks for another message to the address of the attempt.
	againField = "again"
	// freshField has those sign in who are signed in; the login page's query
	// parameter and its form's field.
	freshField = "fresh"
)

// restartParameter tells the login page that there was no attempt to go on
// with.
const restartParameter = "restart"

// showLogin asks for an address, or asks those who are signed in what they want.
func (p *portal) showLogin(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	back := returnPath(query.Get(gate.ReturnParameter))
	outcome := query.Get(gate.FormParameter)
	fresh := query.Has(freshField)
	if x, ok := p.signedIn(r); ok && !fresh {
		if _, kept := p.Gate.Forms.Read(r); kept && outcome == gate.FormKept {
			redirect(w, back) // signed in again in another tab
			return
		}
		p.render(w, http.StatusOK, p.signedInPage(r, x, back))
		return
	}
	if p.handsOff() {
		p.leaveForHome(w, r, back)
		return
	}
	page := p.loginPage(r, back, loginHint(query), fresh)
	page.Notice = formNotice(page.Words, outcome)
	if query.Has(restartParameter) {
		page.Notice = page.Words.Page.Restart
	}
	p.render(w, http.StatusOK, page)
}

// login has a message sent to the address that was typed.
func (p *portal) login(w http.ResponseWriter, r *http.Request) error {
	form, err := wire.Parse(r, wire.Form)
	if err != nil {
		return err
	}
	if form.Has(againField) {
		return p.sendAgain(w, r)
	}
	a := attempt{
		Typed:   form.Text(addressField),
		Return:  returnPath(form.Text(gate.ReturnParameter)),
		Browser: newBrowser(),
		Fresh:   form.Text(freshField) != "",
		Locales: locales(r.URL.Query()),
	}
	a.address, err = p.parseAddress(a.Typed)
	if err == nil {
		a.KnownBrowser = p.Gate.Browser.Known(r, p.service.Handle(a.address))
		err = p.start(w, r, a)
	}
	if err != nil {
		return p.refuse(w, p.loginPage(r, a.Return, a.Typed, a.Fresh), err)
	}
	redirect(w, p.Path+"/verify")
	return nil
}

// sendAgain has another message sent to the address of the attempt.
func (p *portal) sendAgain(w http.ResponseWriter, r *http.Request) error {
	a, ok := p.attempts.read(r, otp.Login)
	if !ok {
		p.restart(w)
		return nil
	}
	a.Again = true
	if err := p.start(w, r, a); err != nil {
		return p.refuse(w, p.verifyPage(r, a, true), err)
	}
	redirect(w, p.Path+"/verify")
	return nil
}

// start has a message sent and gives the attempt to the browser.
func (p *portal) start(w http.ResponseWriter, r *http.Request, a attempt) error {
	a.Channel, a.Typed = a.address.Channel(), a.address.Delivery()
	a.Form = p.form(a.Channel)
	payload, err := json.Marshal(linkPayload{ReturnTo: a.Return})
	if err != nil {
		return err
	}
	_, err = p.service.Start(r.Context(), otp.StartRequest{
		Dialect:     Name,
		Address:     a.address,
		Purpose:     otp.Login,
		Form:        a.Form,
		Code:        p.Code,
		ClientIP:    wire.CallerOf(r).IP,
		Locale:      p.attemptWords(r, a).Language,
		LinkPath:    LinkPath(p.Path),
		LinkPayload: payload,

		KnownBrowser: otp.KnownBrowser{ID: a.KnownBrowser, OwnBudget: true},
	})
	if err != nil {
		return err
	}
	return p.attempts.set(w.Header(), a)
}

// form is what a message over the channel carries. A link is too long and
// too easily mistaken for an SMS.
func (p *portal) form(c otp.Channel) otp.Form {
	if c == otp.SMS {
		return otp.FormCode
	}
	return p.Send
}

// parseAddress reads what was typed as an address of a channel that messages
// can be sent over.
func (p *portal) parseAddress(typed string) (otp.Address, error) {
	email, sms := p.service.HasSender(otp.Email), p.service.HasSender(otp.SMS)
	if sms && (!email || !strings.Contains(typed, "@")) {
		return p.service.ParseAddress(otp.SMS, typed)
	}
	return p.service.ParseAddress(otp.Email, typed)
}

// restart sends the browser to the login page, which says why.
func (p *portal) restart(w http.ResponseWriter) {
	redirect(w, LoginPath(p.Path)+"?"+restartParameter+"=1")
}

// loginAddress is the address of the login page that leads back to a path.
func (p *portal) loginAddress(back string) string {
	return p.loginAddressFor(LoginRequest{Return: back})
}
