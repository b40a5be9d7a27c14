// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// Pages are the pages of a site, for the dialects that lead browsers through
// them.
type Pages struct{ *portal }

// API returns the pages as an API of the site.
func (p Pages) API() wire.API { return p.api() }

// Session returns the session of the browser's own cookie, the only one that
// another may be opened for: an access token must not become a session that
// outlives it. It returns [otp.ErrNoSession] where there is none, or
// [gate.ErrUnchecked] where that can't be told.
func (p Pages) Session(r *http.Request) (otp.Session, error) { return p.browserSession(r) }

// Login sends the browser to sign in.
func (p Pages) Login(w http.ResponseWriter, q LoginRequest) { redirect(w, p.loginAddressFor(q)) }

// SecondFactor sends the browser to get the second factor that its session needs
// ([gate.Gate.HasFactor]), and back to a path of this site.
func (p Pages) SecondFactor(w http.ResponseWriter, back string) { redirect(w, p.mfaAddress(back)) }

// SignIn gives the browser a session in place of the one that it had.
func (p Pages) SignIn(w http.ResponseWriter, r *http.Request, x otp.Session) {
	p.signIn(w, r, x, !x.Temporary)
}

// SignOut ends the browser's session. The cookie is cleared even where the
// store can't be told; then it returns the store's error.
func (p Pages) SignOut(w http.ResponseWriter, r *http.Request) error { return p.endSessions(w, r) }

// Question is what a browser is asked before something happens.
type Question struct {
	// SignIn is the address that it would be signed in with; the zero Address:
	// it is asked whether to sign out.
	SignIn otp.Address
	// Action is the path that the answer is posted to, with the fields.
	Action string
	Fields url.Values
}

type askBody struct {
	Action  string
	Fields  []askField
	Confirm string
	Caution string
	Device  bool
	// AsksDevice is whether the page asks whose device it is.
	AsksDevice bool
}

type askField struct{ Name, Value string }

// Ask asks a browser a question.
func (p Pages) Ask(w http.ResponseWriter, r *http.Request, q Question) {
	words := p.words(r)
	body := askBody{Action: q.Action, Confirm: words.Page.LogoutConfirm}
	for _, name := range slices.Sorted(maps.Keys(q.Fields)) {
		for _, value := range q.Fields[name] {
			body.Fields = append(body.Fields, askField{name, value})
		}
	}
	title := words.Page.LogoutTitle
	if !q.SignIn.IsZero() {
		title = words.Page.LinkTitle
		body.Confirm, body.Caution = words.Page.LinkConfirm, words.Page.LinkCaution
		body.AsksDevice, body.Device = true, true
	}
	page := p.page(words, askKind, title)
	if !q.SignIn.IsZero() {
		page.Text = []string{text.Fill(words.Page.LinkLead, "address", q.SignIn.Masked())}
	}
	page.Body = body
	p.render(w, http.StatusOK, page)
}

// OwnDevice reports whether the answer to a question says that the browser is
// the person's own.
func (p Pages) OwnDevice(form wire.Object) bool { return form.Has(deviceField) }

// SignedOut says that nobody is signed in.
func (p Pages) SignedOut(w http.ResponseWriter, r *http.Request) {
	p.render(w, http.StatusOK, p.signedOutPage(r))
}

// RefuseClient says that an application has sent the browser here with a request
// that can't be answered, not even to the application. What is wrong with it is
// for who looks after that.
func (p Pages) RefuseClient(w http.ResponseWriter, r *http.Request, reason string) {
	words := p.words(r)
	page := p.messagePage(words, words.Page.FailTitle, words.Page.ClientRefused, toStart(words))
	page.Text = append(page.Text, reason)
	p.render(w, http.StatusBadRequest, page)
}

// Fail answers what a dialect can answer to nobody but the person, with a page.
func (p Pages) Fail(w http.ResponseWriter, r *http.Request, err error) { p.fail(w, r, err) }

// NewBrowser names a browser for as long as a question takes, so that it may
// repeat its answer.
func (p Pages) NewBrowser() string { return newBrowser() }
