// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

func (p *portal) words(r *http.Request) *text.Words {
	return p.catalogue.Words(wire.Languages(r))
}

// page returns a page without its text and body.
func (p *portal) page(words *text.Words, k kind, title string) *page {
	page := &page{
		kind:     k,
		Words:    words,
		Title:    text.Fill(title, "site", p.SiteName),
		coolDown: words.Page.CoolDown,
	}
	if page.Title == title {
		page.Site = p.SiteName
	}
	return page
}

type loginBody struct {
	Action, ReturnTo         string
	Label, Hint, Typed       string
	Type, Mode, Autocomplete string
}

// loginPage asks for an address of any channel that messages can be sent over.
func (p *portal) loginPage(r *http.Request, back, typed string) *page {
	words := p.words(r)
	page := p.page(words, loginKind, words.Page.LoginTitle)
	body := loginBody{Action: LoginPath(p.Path), ReturnTo: back, Typed: typed}
	email, sms := p.service.HasSender(otp.Email), p.service.HasSender(otp.SMS)
	switch {
	case email && sms:
		body.Label, body.Hint = words.Page.EmailOrPhone, words.Page.PhoneHint
		body.Type, body.Mode, body.Autocomplete = "text", "email", "username"
	case sms:
		body.Label, body.Hint = words.Page.Phone, words.Page.PhoneHint
		body.Type, body.Mode, body.Autocomplete = "tel", "tel", "tel"
	default:
		body.Label = words.Page.Email
		body.Type, body.Mode, body.Autocomplete = "email", "email", "email"
	}
	page.Body = body
	return page
}

type verifyBody struct {
	Action, AgainAction, AgainLabel, OtherAction string
	AsksCode                                     bool
}

// verifyPage asks for the code of an attempt, or to open the link where the
// message has no code.
func (p *portal) verifyPage(r *http.Request, a attempt) *page {
	words := p.words(r)
	page := p.page(words, verifyKind, words.Page.VerifyTitle)
	body := verifyBody{
		Action:      p.Path + "/verify",
		AgainAction: LoginPath(p.Path),
		AgainLabel:  words.Page.Resend,
		OtherAction: p.loginAddress(a.Return),
		AsksCode:    a.Form != otp.FormLink,
	}
	do := words.Page.EnterCode
	switch a.Form {
	case otp.FormLink:
		do, body.AgainLabel = words.Page.OpenLink, words.Page.ResendLink
	case otp.FormBoth:
		do, page.coolDown = words.Page.EnterCodeOrOpenLink, words.Page.CoolDownOpenLink
	}
	page.Text = []string{text.Fill(words.Page.Sent, "address", a.address.Masked()), do}
	page.Body = body
	return page
}

type linkBody struct{ Action, Token, Browser string }

// linkPage asks whether to sign in by a link.
func (p *portal) linkPage(r *http.Request, l otp.Link, token, browser string) *page {
	words := p.words(r)
	page := p.page(words, linkKind, words.Page.LinkTitle)
	page.Text = []string{text.Fill(words.Page.LinkLead, "address", l.Address.Masked())}
	page.Body = linkBody{Action: p.Path + "/link", Token: token, Browser: browser}
	return page
}

type logoutBody struct{ Action string }

// logoutPage asks whether to end a session.
func (p *portal) logoutPage(r *http.Request, x otp.Session) *page {
	words := p.words(r)
	page := p.page(words, logoutKind, words.Page.LogoutTitle)
	page.Text = []string{text.Fill(words.Page.LogoutLead, "address", x.Address.String())}
	page.Body = logoutBody{Action: p.Path + "/logout"}
	return page
}

// signedOutPage says that nobody is signed in.
func (p *portal) signedOutPage(r *http.Request) *page {
	words := p.words(r)
	return p.messagePage(words, "/", words.Page.LoggedOut)
}

// halfSignedOutPage says that only this browser has forgotten the session.
func (p *portal) halfSignedOutPage(r *http.Request) *page {
	words := p.words(r)
	return p.messagePage(words, "/", words.Page.HalfLoggedOut, words.Page.HalfLoggedOutLead)
}

type messageBody struct{ Next, NextLabel string }

// messagePage says one thing and leads to the login page, and from there back.
func (p *portal) messagePage(words *text.Words, back, title string, lines ...string) *page {
	page := p.page(words, messageKind, title)
	page.Text = lines
	page.Body = messageBody{Next: p.loginAddress(back), NextLabel: words.Page.SignInAgain}
	return page
}
