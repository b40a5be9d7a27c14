// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"log/slog"
	"net/http"
	"strings"
	"unicode"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

const codeField = "code"

// showVerify asks for the code, or lets those pass who have opened the link
// meanwhile.
func (p *portal) showVerify(w http.ResponseWriter, r *http.Request) {
	a, ok := p.attempts.read(r, otp.Login)
	if !ok {
		p.restart(w)
		return
	}
	if x, ok := p.signedIn(r); ok && !a.Fresh {
		redirect(w, p.onward(x, a.Return))
		return
	}
	page := p.verifyPage(r, a, true)
	if a.Again {
		page.Notice = page.Words.Page.SentAgain
	}
	p.render(w, http.StatusOK, page)
}

// verify redeems the code that was typed.
func (p *portal) verify(w http.ResponseWriter, r *http.Request) error {
	form, err := wire.Parse(r, wire.Form)
	if err != nil {
		return err
	}
	a, ok := p.attempts.read(r, otp.Login)
	if !ok {
		p.restart(w)
		return nil
	}
	code, device := cleanCode(form.Text(codeField)), form.Has(deviceField)
	if !otp.IsCode(code) {
		return p.refuse(w, p.verifyPage(r, a, device), errNoCode)
	}
	v, err := p.service.Verify(r.Context(), otp.VerifyRequest{
		Presented: p.presented(r, a.Browser),
		Dialect:   Name,
		Address:   a.address,
		Purpose:   otp.Login,
		Code:      code,

		KnownBrowser: otp.KnownBrowser{ID: a.KnownBrowser, OwnBudget: true},
	})
	if err != nil {
		return p.refuse(w, p.verifyPage(r, a, device), err)
	}
	p.signIn(w, r, v.Session, device)
	redirect(w, p.onward(v.Session, a.Return))
	return nil
}

func (p *portal) presented(r *http.Request, browser string) otp.Presented {
	return otp.Presented{
		ClientIP: wire.CallerOf(r).IP,
		Browser:  browser,
		Lifetime: p.SessionLifetime,
		Device:   wire.Device(r.UserAgent()),
		Due:      otp.LeavePending,
	}
}

// onward is where somebody who is signed in goes on to a path: by way of the
// second factor, where they are nobody without.
func (p *portal) onward(x otp.Session, back string) string {
	if p.lacksFactor(x) {
		return p.mfaAddress(back)
	}
	return back
}

// lacksFactor reports whether a session is nobody's without a second factor.
func (p *portal) lacksFactor(x otp.Session) bool {
	return x.MFA.IsZero() && p.service.DemandsFactor(x)
}

// signIn gives the browser its new session, and ends the one that it had
// (OWASP ASVS 5.0 §7.2.4). On a device of the person's own the session outlives
// the browser's end, and the browser is known from then on.
func (p *portal) signIn(w http.ResponseWriter, r *http.Request, x otp.Session, device bool) {
	for _, old := range p.sessions(r) {
		if old.ID == x.ID {
			continue // a repeated request
		}
		if err := p.service.SignOut(r.Context(), old.ID, old.Expires); err != nil {
			p.Logger.Warn("session before this one can't be ended", slog.Any("error", err))
		}
	}
	x.Temporary = !device
	p.Gate.Cookie.Set(w.Header(), x)
	if device {
		if err := p.Gate.Browser.Remember(w.Header(), r, x.ID, p.service.Handle(x.Address)); err != nil {
			p.Logger.Warn("browser can't be remembered", slog.Any("error", err))
		}
	}
	p.attempts.clear(w.Header())
}

// cleanCode drops what people type, or copy, between and around the digits.
func cleanCode(typed string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Dash, r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, typed)
}
