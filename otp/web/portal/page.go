// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"cmp"
	"net/http"
	"net/url"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// words are those of the language that the page's address asks for, or else the
// browser.
func (p *portal) words(r *http.Request) *text.Words {
	return p.catalogue.Words(cmp.Or(locales(r.URL.Query()), wire.Languages(r)))
}

// page returns a page without its text and body.
func (p *portal) page(words *text.Words, k kind, title string) *page {
	page := &page{
		kind:       k,
		Words:      words,
		Title:      text.Fill(title, "site", p.SiteName),
		coolDown:   words.Page.CoolDown,
		badAddress: words.Page.EmailInvalid + " " + words.Page.CheckTyping,
	}
	if page.Title == title {
		page.Site = p.SiteName
	}
	return page
}

type loginBody struct {
	Action, ReturnTo string
	// Fresh has whoever is signed in sign in again.
	Fresh                    bool
	Label, Hint, Typed       string
	Type, Mode, Autocomplete string
}

// loginPage asks for an address of any channel that messages can be sent over.
// fresh says that whoever is signed in must do so again.
func (p *portal) loginPage(r *http.Request, back, typed string, fresh bool) *page {
	words := p.words(r)
	page := p.page(words, loginKind, words.Page.LoginTitle)
	body := loginBody{Action: p.loginAddressFor(LoginRequest{Return: "/", Locales: locales(r.URL.Query())}), ReturnTo: back, Typed: typed, Fresh: fresh}
	hint, prefix := p.numberHints(words)
	email, sms := p.service.HasSender(otp.Email), p.service.HasSender(otp.SMS)
	switch {
	case email && sms:
		body.Label, body.Hint = words.Page.EmailOrPhone, hint
		body.Type, body.Mode, body.Autocomplete = "text", "email", "username"
		page.badAddress = words.Page.EmailOrPhoneInvalid + " " + prefix
	case sms:
		body.Label, body.Hint = words.Page.Phone, hint
		body.Type, body.Mode, body.Autocomplete = "tel", "tel", "tel"
		page.badAddress = words.Page.PhoneInvalid + " " + prefix
	default:
		body.Label = words.Page.Email
		body.Type, body.Mode, body.Autocomplete = "email", "email", "email"
	}
	page.Body = body
	return page
}

// numberHints say which phone numbers need a prefix: what to type, and what
// may have been wrong.
func (p *portal) numberHints(words *text.Words) (hint, wrong string) {
	prefix := "+49"
	hint, wrong = words.Page.PhoneHint, words.Page.NeedsPrefix
	if country := p.service.DefaultCountry(); country != "" {
		hint, wrong = words.Page.AbroadHint, words.Page.NeedsPrefixAbroad
		if country == "DE" {
			prefix = "+44" // the example is of another country
		}
	}
	return text.Fill(hint, "prefix", prefix), text.Fill(wrong, "prefix", prefix)
}

type signedInBody struct{ Next, OtherAction, Sessions string }

// signedInPage says who is signed in, and leads on or to another login. It
// doesn't go on by itself: an app that lets this person in nowhere would send
// them back for ever.
func (p *portal) signedInPage(r *http.Request, x otp.Session, back string) *page {
	words := p.words(r)
	page := p.page(words, signedInKind, words.Page.SignedInTitle)
	page.Text = []string{text.Fill(words.Page.SignedIn, "address", x.Address.String())}
	page.Body = signedInBody{
		Next:        p.onward(x, back),
		OtherAction: p.Path + "/logout?" + url.Values{gate.ReturnParameter: {back}}.Encode(),
		Sessions:    SessionsPath(p.Path),
	}
	page.leads = p.handsOff()
	return page
}

// notForSitePage says that who is signed in may not sign in here, and leads to
// where they can become somebody else.
func (p *portal) notForSitePage(r *http.Request, x otp.Session, back string) *page {
	words := p.words(r)
	line := text.Fill(words.Page.NotForSite, "address", x.Address.String())
	other := LoginPath(p.Path) + "?" + url.Values{gate.ReturnParameter: {back}, askParameter: {"1"}}.Encode()
	return p.messagePage(words, words.Page.NotForSiteTitle, line, way{other, words.Page.SomebodyElse})
}

// noCookiesPage says that the browser keeps no session.
func (p *portal) noCookiesPage(r *http.Request, back string) *page {
	words := p.words(r)
	line := text.Fill(words.Page.NoCookies, "site", p.SiteName)
	return p.messagePage(words, words.Page.FailTitle, line, way{p.loginAddress(back), words.Page.TryAgain})
}

type verifyBody struct {
	Action, Label, AgainAction, AgainLabel string
	// OtherAction is where to go instead, such as to choose another address.
	OtherAction, OtherLabel string
	// AsksDevice is whether the page asks whose device it is, and Device the
	// answer that is ticked.
	AsksCode, AsksDevice, Device bool
}

// verifyPage asks for the code of an attempt, or to open the link where the
// message has no code. device says that the person's own is ticked.
func (p *portal) verifyPage(r *http.Request, a attempt, device bool) *page {
	words := p.attemptWords(r, a)
	page := p.page(words, verifyKind, words.Page.VerifyTitle)
	body := verifyBody{
		Action:      p.Path + "/verify",
		Label:       words.Page.Verify,
		AgainAction: LoginPath(p.Path),
		AgainLabel:  words.Page.Resend,
		OtherAction: p.loginAddressFor(LoginRequest{Return: a.Return, Fresh: a.Fresh, Locales: a.Locales}),
		OtherLabel:  words.Page.OtherAddress,
		AsksCode:    a.Form != otp.FormLink,
		AsksDevice:  true,
		Device:      device,
	}
	do := words.Page.EnterCode
	switch a.Form {
	case otp.FormLink:
		do, body.AgainLabel = words.Page.OpenLink, words.Page.ResendLink
	case otp.FormBoth:
		do, page.coolDown = words.Page.EnterCodeOrOpenLink, words.Page.CoolDownOpenLink
	}
	page.Text = []string{text.Fill(words.Page.Sent, "address", a.address.Delivery()), do}
	page.Body = body
	return page
}

type linkBody struct {
	Action, Token, Browser string
	Device                 bool
}

// linkPage asks whether to sign in by a link. device says that the person's own
// is ticked.
func (p *portal) linkPage(r *http.Request, l otp.Link, token, browser string, device bool) *page {
	words := p.words(r)
	page := p.page(words, linkKind, words.Page.LinkTitle)
	page.Text = []string{text.Fill(words.Page.LinkLead, "address", l.Address.Masked())}
	page.Body = linkBody{Action: p.Path + "/link", Token: token, Browser: browser, Device: device}
	return page
}

type logoutBody struct{ Action, Sessions string }

// logoutPage asks whether to end a session, or all of the person's.
func (p *portal) logoutPage(r *http.Request, x otp.Session) *page {
	words := p.words(r)
	page := p.page(words, logoutKind, words.Page.LogoutTitle)
	page.Text = []string{text.Fill(words.Page.SignedIn, "address", x.Address.String())}
	page.Body = logoutBody{Action: p.Path + "/logout", Sessions: SessionsPath(p.Path)}
	return page
}

// signedOutPage says that nobody is signed in.
func (p *portal) signedOutPage(r *http.Request) *page {
	words := p.words(r)
	return p.messagePage(words, words.Page.LoggedOut, "", p.toLogin(words, "/"), toStart(words))
}

// halfSignedOutPage says that only this browser has forgotten the session.
func (p *portal) halfSignedOutPage(r *http.Request) *page {
	words := p.words(r)
	return p.messagePage(words, words.Page.HalfLoggedOut, words.Page.HalfLoggedOutLead,
		p.toLogin(words, "/"), toStart(words))
}

// way is a link to where people can go on.
type way struct{ Address, Label string }

func (p *portal) toLogin(words *text.Words, back string) way {
	return way{p.loginAddress(back), words.Page.SignInAgain}
}

func toStart(words *text.Words) way { return way{"/", words.Page.StartPage} }

// messagePage says one thing, in its title and a line that may be empty, and
// leads on: the first way is a button.
func (p *portal) messagePage(words *text.Words, title, line string, ways ...way) *page {
	page := p.page(words, messageKind, title)
	if line != "" {
		page.Text = []string{line}
	}
	page.Body = ways
	return page
}
