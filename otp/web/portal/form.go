// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"html"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
)

// FormPath returns the path of the page that asks whether to send a form that
// was kept.
func FormPath(path string) string { return path + "/form" }

// showForm asks whether to send the form that was kept for the browser. Where
// there is none, as where a link was opened in another browser, it leads back
// to the page that the form was on.
func (p *portal) showForm(w http.ResponseWriter, r *http.Request) {
	back := returnPath(r.URL.Query().Get(gate.ReturnParameter))
	form, ok := p.Gate.Forms.Read(r)
	if !ok {
		redirect(w, back)
		return
	}
	x, ok := p.signedIn(r)
	if !ok {
		redirect(w, p.loginAddress(returnPath(r.URL.RequestURI())))
		return
	}
	if err := p.Gate.Forms.Check(form, x); err != nil {
		p.fail(w, r, err)
		return
	}
	p.render(w, http.StatusOK, p.formPage(r, form, x, back))
}

// dropForm forgets the form that was kept for the browser.
func (p *portal) dropForm(w http.ResponseWriter, r *http.Request) {
	if form, ok := p.Gate.Forms.Read(r); ok {
		p.drop(w, r, form)
	}
	redirect(w, returnPath(r.URL.Query().Get(gate.ReturnParameter)))
}

func (p *portal) drop(w http.ResponseWriter, r *http.Request, form gate.Form) {
	if err := p.Gate.Forms.Drop(r.Context(), w.Header(), form); err != nil {
		p.Logger.Warn("form can't be dropped before its time", slog.Any("error", err))
	}
}

type formBody struct {
	// Action is an attribute: as a URL some of what an app has in its own would
	// be encoded anew, and the address another.
	Action                    template.HTMLAttr
	Field, Secret, DropAction string
}

// formPage asks whether to send a form that was kept to where it was posted to.
// It shows nothing of what is in it.
func (p *portal) formPage(r *http.Request, form gate.Form, x otp.Session, back string) *page {
	words := p.words(r)
	page := p.page(words, formKind, words.Page.FormTitle)
	page.Text = []string{
		text.Fill(words.Page.FormLead, "path", form.Path()),
		text.Fill(words.Page.SignedIn, "address", x.Address.String()),
	}
	page.Body = formBody{
		Action:     template.HTMLAttr(`action="` + html.EscapeString(form.URI) + `"`),
		Field:      gate.FormField,
		Secret:     form.Secret,
		DropAction: FormPath(p.Path) + "?" + url.Values{gate.ReturnParameter: {back}}.Encode(),
	}
	return page
}

// formFailPage says why a form that was kept isn't sent, or returns nil for
// other errors.
func (p *portal) formFailPage(r *http.Request, err error) *page {
	words := p.words(r)
	switch {
	case errors.Is(err, gate.ErrFormSent):
		return p.messagePage(words, words.Page.FormSentTitle, words.Page.FormSent, toStart(words))
	case errors.Is(err, gate.ErrFormGone):
		return p.messagePage(words, words.Page.FormGoneTitle, words.Page.FormGone, toStart(words))
	case errors.Is(err, gate.ErrFormOther):
		return p.messagePage(words, words.Page.FailTitle, words.Page.FormOther,
			p.somebodyElse(words, FormPath(p.Path)), toStart(words))
	case errors.Is(err, gate.ErrFormUnsent):
		again := way{FormPath(p.Path), words.Page.TryAgain}
		line := text.Fill(words.Page.FormUnsent, "wait", words.Wait(wait(err)))
		return p.messagePage(words, words.Page.FailTitle, line, again)
	}
	return nil
}

// formNotice words what has become of a form, as the login page is told.
func formNotice(words *text.Words, outcome string) string {
	switch outcome {
	case gate.FormKept:
		return words.Page.FormKept
	case gate.FormLost:
		return words.Page.FormLost
	}
	return ""
}
