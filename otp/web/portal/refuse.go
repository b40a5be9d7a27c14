// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// errNoCode says that what was typed can be no code.
var errNoCode = errors.New("not a code")

// refuse shows a page again, with what was wrong, or returns an error that
// people can do nothing about.
func (p *portal) refuse(w http.ResponseWriter, page *page, err error) error {
	page.Alert = page.alert(err)
	if page.Alert == "" {
		return err
	}
	status := wire.Status(err)
	if status == http.StatusInternalServerError {
		status = http.StatusBadRequest // the domain's refusals, which no status but this page is for
	}
	wire.SetRetryAfter(w.Header(), err)
	p.render(w, status, page)
	return nil
}

// alert words what people can do something about; "" for anything else.
func (p *page) alert(err error) string {
	words := p.Words.Page
	for _, known := range []struct {
		err     error
		wording string
	}{
		{otp.ErrAddressFormat, p.badAddress},
		{otp.ErrAddressTooLong, p.badAddress},
		{otp.ErrNoSender, words.NoSender},
		{errNoCode, words.CodeInvalid},
		{otp.ErrWrong, words.CodeWrong},
		{otp.ErrExpired, words.CodeExpired},
		{otp.ErrExhausted, words.CodeExhausted},
		{otp.ErrBusy, words.Busy},
		{otp.ErrThrottled, words.Throttled},
		{otp.ErrCoolDown, p.coolDown},
		{otp.ErrUnavailable, words.Unavailable},
	} {
		if errors.Is(err, known.err) {
			return text.Fill(known.wording, "wait", p.Words.Wait(wait(err)))
		}
	}
	return ""
}

func wait(err error) time.Duration {
	return time.Duration(otp.RetryAfter(err)) * time.Second
}

// fail answers what no page of its own is for.
func (p *portal) fail(w http.ResponseWriter, r *http.Request, err error) {
	p.report(r, err)
	wire.SetRetryAfter(w.Header(), err)
	p.render(w, wire.Status(err), p.failPage(r, err))
}

// failPage says what went wrong, and where to go on.
func (p *portal) failPage(r *http.Request, err error) *page {
	words := p.words(r)
	if page := p.formFailPage(r, err); page != nil {
		return page
	}
	status, line := wire.Status(err), words.Page.BadRequest
	switch {
	case errors.Is(err, gate.ErrUnchecked):
		return p.uncheckedPage(r, err)
	case errors.Is(err, wire.ErrNotFound), errors.Is(err, wire.ErrPath):
		return p.messagePage(words, words.Page.NotFoundTitle, words.Page.NotFound, toStart(words))
	case errors.Is(err, wire.ErrForbidden):
		return p.messagePage(words, words.Page.ForbiddenTitle, words.Page.Forbidden, toStart(words), p.asSomebodyElse(r, words))
	case errors.Is(err, wire.ErrOtherAddress):
		return p.otherAddressPage(words)
	case status == http.StatusForbidden:
		line = words.Page.Foreign
	case errors.Is(err, otp.ErrBusy):
		line = words.Page.Busy
	case status == http.StatusTooManyRequests:
		line = words.Page.Throttled
	case status == http.StatusServiceUnavailable:
		line = words.Page.Unavailable
	case status >= http.StatusInternalServerError, errors.Is(err, wire.ErrSlow), errors.Is(err, wire.ErrEarlyData):
		line = words.Page.Defect
	}
	line = text.Fill(line, "wait", words.Wait(wait(err)))
	return p.messagePage(words, words.Page.FailTitle, line, p.toLogin(words, "/"))
}

// otherAddressPage leads to the site's own address: no other can be signed in
// at.
func (p *portal) otherAddressPage(words *text.Words) *page {
	site := p.service.PublicURL().String()
	open := way{site + LoginPath(p.Path), text.Fill(words.Page.OpenSite, "url", site)}
	return p.messagePage(words, words.Page.FailTitle, text.Fill(words.Page.WrongOrigin, "url", site), open)
}

// asSomebodyElse leads to where one can sign in as somebody else, and back.
func (p *portal) asSomebodyElse(r *http.Request, words *text.Words) way {
	return p.somebodyElse(words, returnPath(r.URL.RequestURI()))
}

// uncheckedPage is in place of a page of the app that needs a session.
func (p *portal) uncheckedPage(r *http.Request, err error) *page {
	words := p.words(r)
	again := "/"
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		again = returnPath(r.URL.RequestURI())
	}
	line := text.Fill(words.Page.Unchecked, "wait", words.Wait(wait(err)))
	return p.messagePage(words, words.Page.FailTitle, line, way{again, words.Page.TryAgain})
}

// report logs what an admin must know of; the answer doesn't say it.
func (p *portal) report(r *http.Request, err error) {
	if wire.Status(err) == http.StatusInternalServerError {
		wire.LogDefect(p.Logger, Name, r, err)
	}
}
