// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// SessionsPath returns the path of the page with a person's sessions, below the
// pages' path.
func SessionsPath(path string) string { return path + "/sessions" }

// Fields of the forms that end sessions.
const (
	// sessionField names the one to end.
	sessionField = "session"
	// everywhereField ends all of them.
	everywhereField = "everywhere"
)

// showSessions lists where the person who is signed in is so.
func (p *portal) showSessions(w http.ResponseWriter, r *http.Request) error {
	x, all, err := p.ownSessions(r)
	switch {
	case err != nil:
		return err
	case x.ID == "":
		redirect(w, p.loginAddress(SessionsPath(p.Path)))
		return nil
	case p.lacksFactor(x):
		redirect(w, p.mfaAddress(SessionsPath(p.Path)))
		return nil
	}
	p.render(w, http.StatusOK, p.sessionsPage(r, x, all))
	return nil
}

// endSession ends one of the person's sessions. One that isn't theirs, or has
// ended before, changes nothing.
func (p *portal) endSession(w http.ResponseWriter, r *http.Request) error {
	form, err := wire.Parse(r, wire.Form)
	if err != nil {
		return err
	}
	_, all, err := p.ownSessions(r)
	if err != nil {
		return err
	}
	for _, each := range all {
		if string(each.ID) != form.Text(sessionField) {
			continue
		}
		if err := p.service.SignOut(r.Context(), each.ID, each.Expires); err != nil {
			return err
		}
	}
	redirect(w, SessionsPath(p.Path))
	return nil
}

// ownSessions returns the session that a request is of, and all of the same
// person, the newest first; none where nobody is signed in, or without the second
// factor that is demanded of them. It returns
// [gate.ErrUnchecked] where that can't be told.
func (p *portal) ownSessions(r *http.Request) (x otp.Session, all []otp.Session, err error) {
	visitor, err := p.visitor(r)
	if err == nil && visitor.SignedIn() {
		x = *visitor.Session
		if !p.lacksFactor(x) {
			all, err = p.service.Sessions(r.Context(), x.Subject)
		}
	}
	if err != nil {
		return otp.Session{}, nil, fmt.Errorf("%w: %w", gate.ErrUnchecked, err)
	}
	return x, all, nil
}

type sessionsBody struct {
	Action, EverywhereAction string
	Sessions                 []sessionRow
}

type sessionRow struct {
	ID           otp.SessionID
	Device, Line string
	// Current marks the session of this browser.
	Current bool
}

func (p *portal) sessionsPage(r *http.Request, x otp.Session, all []otp.Session) *page {
	words := p.words(r)
	page := p.page(words, sessionsKind, words.Page.SessionsTitle)
	page.Text = []string{text.Fill(words.Page.SessionsLead, "address", x.Address.String())}
	body := sessionsBody{Action: SessionsPath(p.Path), EverywhereAction: p.Path + "/logout"}
	now := p.Gate.Cookie.Now()
	for _, each := range all {
		body.Sessions = append(body.Sessions, sessionRow{
			ID:      each.ID,
			Device:  deviceWords(words, each.Device),
			Line:    openedWords(words, each, now),
			Current: each.ID == x.ID,
		})
	}
	page.Body = body
	return page
}

// openedWords say when a session was opened, and by what.
func openedWords(words *text.Words, x otp.Session, now time.Time) string {
	wording := words.Page.OpenedByApp
	if x.Dialect == Name {
		wording = words.Page.OpenedByPage
	}
	return text.Fill(wording, "time", words.Lifetime(now.Sub(x.Created)), "api", x.Dialect)
}

// deviceWords say a label of [wire.Device] in a language.
func deviceWords(words *text.Words, label string) string {
	if label == "" {
		return words.Page.ProgramUnknown
	}
	if program, system, found := strings.Cut(label, " on "); found {
		return text.Fill(words.Page.ProgramOnSystem, "program", program, "system", system)
	}
	if language, found := strings.CutSuffix(label, " program"); found {
		return text.Fill(words.Page.ProgramIn, "language", language)
	}
	return label
}
