// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/text"
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
		{otp.ErrAddressFormat, words.AddressInvalid},
		{otp.ErrAddressTooLong, words.AddressInvalid},
		{otp.ErrNoSender, words.NoSender},
		{errNoCode, words.CodeInvalid},
		{otp.ErrWrong, words.CodeWrong},
		{otp.ErrExpired, words.CodeExpired},
		{otp.ErrExhausted, words.CodeExhausted},
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
	words := p.words(r)
	line := words.Page.BadRequest
	switch status := wire.Status(err); {
	case status == http.StatusForbidden:
		line = words.Page.Foreign
	case status == http.StatusTooManyRequests:
		line = words.Page.Throttled
	case status == http.StatusServiceUnavailable:
		line = words.Page.Unavailable
	case status >= http.StatusInternalServerError, errors.Is(err, wire.ErrSlow), errors.Is(err, wire.ErrEarlyData):
		line = words.Page.Defect
	}
	wire.SetRetryAfter(w.Header(), err)
	page := p.messagePage(words, "/", words.Page.FailTitle,
		text.Fill(line, "wait", words.Wait(wait(err))))
	p.render(w, wire.Status(err), page)
}

// report logs what an admin must know of; the answer doesn't say it.
func (p *portal) report(r *http.Request, err error) {
	if wire.Status(err) == http.StatusInternalServerError {
		wire.LogDefect(p.Logger, Name, r, err)
	}
}
