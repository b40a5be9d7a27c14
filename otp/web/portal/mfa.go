// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// factorField is which of the addresses offered a code is to be sent to,
// counted from 0. The addresses themselves aren't shown to whoever has no more
// than the session. Or it says appFactor.
const (
	factorField = "to"
	appFactor   = "totp"
)

// showMFA asks where to send the code of a second factor, or, without a
// [gate.ReturnParameter], for the one that was sent. Without a session it leads
// to the login first. It sends nothing.
func (p *portal) showMFA(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	back := returnPath(query.Get(gate.ReturnParameter))
	x, err := p.browserSession(r)
	if err != nil {
		return p.leadToLogin(w, back, err)
	}
	if a, ok := p.attempts.read(r, otp.MFA); ok && a.Session == x.ID && !query.Has(gate.ReturnParameter) {
		factors, err := p.service.Factors(r.Context(), x)
		if err != nil {
			return err
		}
		page := p.factorPage(r, factors, a)
		if a.Again {
			page.Notice = page.Words.Page.SentAgain
		}
		p.render(w, http.StatusOK, page)
		return nil
	}
	return p.offerFactors(w, r, x, back, nil)
}

// postMFA sends a code to one of the addresses offered, or another one to the
// address of the attempt, or redeems the one that was typed.
func (p *portal) postMFA(w http.ResponseWriter, r *http.Request) error {
	form, err := wire.Parse(r, wire.Form)
	if err != nil {
		return err
	}
	if form.Has(factorField) {
		return p.sendFactor(w, r, form.Text(factorField), returnPath(form.Text(gate.ReturnParameter)))
	}
	a, ok := p.attempts.read(r, otp.MFA)
	if !ok {
		redirect(w, p.mfaAddress("/"))
		return nil
	}
	x, err := p.browserSession(r)
	if errors.Is(err, otp.ErrNoSession) && !form.Has(againField) {
		// Its continuation may be what the answer that was lost had set.
		x, err = p.replacedSession(r, a.Session)
	}
	if err != nil {
		return p.leadToLogin(w, a.Return, err)
	}
	if a.Session != x.ID {
		redirect(w, p.mfaAddress(a.Return))
		return nil
	}
	if form.Has(againField) && !a.TOTP {
		a.Again = true
		return p.startFactor(w, r, x, a)
	}
	return p.elevate(w, r, x, a, form.Text(codeField))
}

// sendFactor has a code sent to one of the addresses offered.
func (p *portal) sendFactor(w http.ResponseWriter, r *http.Request, nth, back string) error {
	x, err := p.browserSession(r)
	if err != nil {
		return p.leadToLogin(w, back, err)
	}
	factors, err := p.service.Factors(r.Context(), x)
	if err != nil {
		return p.offerFactors(w, r, x, back, err)
	}
	if nth == appFactor && factors.TOTP {
		return p.askApp(w, r, x, back)
	}
	n, err := strconv.Atoi(nth)
	if err != nil || n < 0 || n >= len(factors.Addresses) {
		redirect(w, p.mfaAddress(back)) // they have changed meanwhile
		return nil
	}
	return p.startFactor(w, r, x, attempt{
		Purpose: otp.MFA,
		Session: x.ID,
		Channel: factors.Addresses[n].Channel(),
		Typed:   factors.Addresses[n].Delivery(),
		Form:    otp.FormCode,
		Return:  back,
		Browser: newBrowser(),
		address: factors.Addresses[n],

		KnownBrowser: p.Gate.Browser.Known(r, p.service.Handle(x.Address)),
	})
}

// askApp leads to where the code of an authenticator app is typed.
func (p *portal) askApp(w http.ResponseWriter, r *http.Request, x otp.Session, back string) error {
	a := attempt{Purpose: otp.MFA, Session: x.ID, TOTP: true, Return: back, Browser: newBrowser()}
	a.KnownBrowser = p.Gate.Browser.Known(r, p.service.Handle(x.Address))
	if err := p.attempts.set(w.Header(), a); err != nil {
		return err
	}
	redirect(w, MFAPath(p.Path))
	return nil
}

// startFactor has a code sent and gives the attempt to the browser.
func (p *portal) startFactor(w http.ResponseWriter, r *http.Request, x otp.Session, a attempt) error {
	_, err := p.service.StartFactor(r.Context(), x, otp.FactorRequest{
		Address:  a.address,
		Code:     p.Code,
		ClientIP: wire.CallerOf(r).IP,
		Locale:   p.words(r).Language,
		Known:    a.KnownBrowser != "",
	})
	switch {
	case err == nil:
	case !a.Again:
		return p.offerFactors(w, r, x, a.Return, err)
	default:
		return p.refuseFactor(w, r, x, a, err)
	}
	if err := p.attempts.set(w.Header(), a); err != nil {
		return err
	}
	redirect(w, MFAPath(p.Path))
	return nil
}

// elevate redeems a code and gives the browser the session that has the second
// factor.
func (p *portal) elevate(w http.ResponseWriter, r *http.Request, x otp.Session, a attempt, typed string) error {
	request := otp.ElevateRequest{
		Address:  a.address,
		Code:     cleanCode(typed),
		ClientIP: wire.CallerOf(r).IP,
		Browser:  a.Browser,
		Known:    a.KnownBrowser != "",
		Device:   wire.Device(r.UserAgent()),
	}
	elevate := p.service.Elevate
	switch recovery := strings.TrimSpace(typed); {
	case a.TOTP && otp.IsRecoveryCode(recovery):
		request.Code, elevate = recovery, p.service.ElevateRecovery
	case !otp.IsCode(request.Code):
		return p.refuseFactor(w, r, x, a, errNoCode)
	case a.TOTP:
		elevate = p.service.ElevateTOTP
	}
	v, err := elevate(r.Context(), x, request)
	if err != nil {
		return p.refuseFactor(w, r, x, a, err)
	}
	elevated := v.Session
	elevated.Temporary = x.Temporary
	p.Gate.Cookie.Set(w.Header(), elevated)
	p.attempts.clear(w.Header())
	redirect(w, a.Return)
	return nil
}

// refuseFactor says what was wrong on the page that asks for the code, or leads
// to where one can begin anew.
func (p *portal) refuseFactor(w http.ResponseWriter, r *http.Request, x otp.Session, a attempt, err error) error {
	switch {
	case errors.Is(err, otp.ErrNoSession):
		return p.leadToLogin(w, a.Return, err)
	case errors.Is(err, otp.ErrNoFactor):
		redirect(w, p.mfaAddress(a.Return))
		return nil
	}
	factors, failure := p.service.Factors(r.Context(), x)
	if failure != nil && !errors.Is(err, otp.ErrUnavailable) {
		return failure
	}
	return p.refuse(w, p.factorPage(r, factors, a), err)
}

// browserSession returns the session of the browser's own cookie, the only one
// that a second factor is for here; [otp.ErrNoSession] where there is none.
func (p *portal) browserSession(r *http.Request) (otp.Session, error) {
	visitor, err := p.visitor(r)
	switch {
	case err != nil:
		return otp.Session{}, err
	case !visitor.SignedIn() || visitor.Bearer:
		return otp.Session{}, otp.ErrNoSession
	}
	return *visitor.Session, nil
}

// replacedSession returns the session in the browser's cookie, whether or not it
// was revoked, but not one that has rested for too long.
func (p *portal) replacedSession(r *http.Request, id otp.SessionID) (otp.Session, error) {
	if x, ok := p.Gate.Cookie.Held(r); ok && x.ID == id {
		return x, nil
	}
	return otp.Session{}, otp.ErrNoSession
}

// leadToLogin sends a browser without a session to the login page, from which
// it comes back here. It returns any other error than that.
func (p *portal) leadToLogin(w http.ResponseWriter, back string, err error) error {
	if !errors.Is(err, otp.ErrNoSession) {
		return err
	}
	redirect(w, p.loginAddress(returnPath(p.mfaAddress(back))))
	return nil
}

// mfaAddress is the address of the page that offers second factors and leads
// back to a path.
func (p *portal) mfaAddress(back string) string {
	return MFAPath(p.Path) + "?" + url.Values{gate.ReturnParameter: {back}}.Encode()
}

type factorsBody struct {
	Action, ReturnTo string
	// Labels are those of the buttons, one for each address.
	Labels []string
	// App is the label of the one for an authenticator app, or empty.
	App         string
	OtherAction string
}

// offerFactors asks where to send a code, and says what was wrong unless err
// is nil.
func (p *portal) offerFactors(w http.ResponseWriter, r *http.Request, x otp.Session, back string, err error) error {
	factors, failure := p.service.Factors(r.Context(), x)
	if failure != nil {
		return failure
	}
	words := p.words(r)
	if len(factors.Methods()) == 0 {
		page := p.messagePage(words, words.Page.MFATitle, words.Page.NoFactor, toStart(words), p.somebodyElse(words, back))
		p.render(w, http.StatusForbidden, page)
		return nil
	}
	page := p.page(words, factorsKind, words.Page.MFATitle)
	page.Text = []string{words.Page.MFALead}
	body := factorsBody{Action: MFAPath(p.Path), ReturnTo: back, OtherAction: p.somebodyElse(words, back).Address}
	if factors.TOTP {
		page.Text, body.App = []string{words.Page.MFAChoose}, words.Page.MFAApp
	}
	for _, a := range factors.Addresses {
		body.Labels = append(body.Labels, text.Fill(words.Page.MFASend, "address", a.Masked()))
	}
	page.Body = body
	switch {
	case err == nil, errors.Is(err, otp.ErrNoFactor):
		p.render(w, http.StatusOK, page)
		return nil
	case errors.Is(err, otp.ErrNoSession):
		return p.leadToLogin(w, back, err)
	}
	return p.refuse(w, page, err)
}

// somebodyElse leads to where one can sign in as somebody else, and back.
func (p *portal) somebodyElse(words *text.Words, back string) way {
	return way{p.loginAddress(back), words.Page.SomebodyElse}
}

// factorPage asks for the code of an attempt to prove a second factor.
func (p *portal) factorPage(r *http.Request, factors otp.Factors, a attempt) *page {
	words := p.words(r)
	page := p.page(words, verifyKind, words.Page.VerifyTitle)
	body := verifyBody{Action: MFAPath(p.Path), Label: words.Page.MFAConfirm, AsksCode: true}
	if a.TOTP {
		page.Text = []string{words.Page.MFAAppLead}
	} else {
		page.Text = []string{text.Fill(words.Page.MFASent, "address", a.address.Masked()), words.Page.EnterCode}
		body.AgainAction, body.AgainLabel = MFAPath(p.Path), words.Page.Resend
	}
	if len(factors.Addresses) > 1 || factors.TOTP && len(factors.Addresses) > 0 {
		body.OtherAction, body.OtherLabel = p.mfaAddress(a.Return), words.Page.OtherAddress
	} else {
		other := p.somebodyElse(words, a.Return)
		body.OtherAction, body.OtherLabel = other.Address, other.Label
	}
	page.Body = body
	return page
}
