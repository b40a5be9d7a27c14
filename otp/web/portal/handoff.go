// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// The hand-off lets the sites of a realm that share no cookie sign in at one
// of them, its home:
//
//  1. A site gives the browser a secret and sends it to the home with a
//     request, which only holders of the deployment's secret can make.
//  2. The home signs in who isn't yet, and sends the browser back with a
//     ticket for the session.
//  3. The site takes the ticket, once, from the browser that has the secret,
//     and sets a cookie of its own with the same session.
//
// Step 3 changes something by GET, as the last of a chain of redirects must.
// No other site can have it done: without the browser's secret the ticket is
// only used up.

const (
	handoffPath = "/handoff"
	handoffUse  = "handoff"

	requestParameter = "request"
	ticketParameter  = "ticket"
	// askParameter has the home ask who is signed in whether to go on.
	askParameter = "ask"
	// goOnParameter is the answer to that.
	goOnParameter = "go_on"
	// onceMoreParameter says that a hand-off came back to another browser than
	// it began in, such as by a link that was opened on a phone.
	onceMoreParameter = "once_more"

	// requestLifetime is how long the login at the home may take.
	requestLifetime = 10 * time.Minute
	// ticketLifetime is how long the way back may take.
	ticketLifetime = 30 * time.Second
	// maxRequest bounds a request, so that its address is one that a login at
	// the home can return to.
	maxRequest = maxReturnPath - 128
)

// handoffs are the two ends of a hand-off.
type handoffs struct {
	// pages is the address of this site's pages.
	pages    string
	cookie   gate.HostCookie
	requests *otp.Sealer
	tickets  otp.Once
	sessions *token.Sealed
}

func newHandoffs(g *gate.Gate, path string) handoffs {
	s := g.Service
	return handoffs{
		pages:    s.PublicURL().String() + path,
		cookie:   gate.NewHostCookie(g.Cookie, s.Keys(), handoffUse, s.Realm()+"\x00"+s.PublicURL().String()),
		requests: s.Keys().Sealer("handoff request"),
		tickets:  s.Once("handoff ticket", ticketLifetime),
		sessions: token.NewSealed(s.Keys(), s.Realm(), "handoff ticket"),
	}
}

// HandoffCookieName returns the name of the cookie that a hand-off under way
// is kept in; the app has no business with it.
func HandoffCookieName(session *gate.SessionCookie) string {
	return gate.HostCookieName(session, handoffUse)
}

// handoffRequest asks the home for a session.
type handoffRequest struct {
	// Pages is the address of the asking site's pages.
	Pages string `json:"p"`
	// Return is where to go afterwards: a path on the asking site.
	Return string `json:"r"`
	// Digest is that of the browser's secret.
	Digest string `json:"d"`
	// Ask says that the home must not go on by itself.
	Ask bool `json:"a,omitempty"`
	// Fresh says that whoever is signed in at the home must sign in again there,
	// unless they did since the request was made.
	Fresh bool `json:"f,omitempty"`
	// OnceMore says that this is the second hand-off in a row.
	OnceMore bool `json:"o,omitempty"`
	// Expires is in Unix seconds.
	Expires int64 `json:"e"`
}

// clockSkew is how far the clocks of a node and of the store may be apart.
const clockSkew = 10 * time.Second

// made is when the site made the request, or up to a second later: what is fresh
// here is so for the site too.
func (q handoffRequest) made() time.Time {
	return time.Unix(q.Expires, 0).Add(time.Second - requestLifetime)
}

// handoffTicket is the home's answer, which stays in the store.
type handoffTicket struct {
	Pages   string `json:"p"`
	Return  string `json:"r"`
	Digest  string `json:"d"`
	Session string `json:"s"`
	// OnceMore is the request's.
	OnceMore bool `json:"o,omitempty"`
}

// isHome reports whether the realm's sites sign in here.
func (p *portal) isHome() bool { return p.Home == p.handoffs.pages }

// handsOff reports whether visitors of this site sign in at another one.
func (p *portal) handsOff() bool { return p.Home != "" && !p.isHome() }

// handoff is the end of the hand-off that this site is.
func (p *portal) handoff(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet: // a HEAD must change nothing
		w.Header().Set("Allow", http.MethodGet)
		p.fail(w, r, wire.ErrMethod)
	case p.isHome():
		p.handOver(w, r)
	default:
		p.takeOver(w, r)
	}
}

// handoffDone is in the place of the browser's secret for a moment after a
// hand-off. Who must sign in then and has this cookie but no session's, not even
// one that has ended, would be handed off for ever.
const handoffDone = "done"

// leaveForHome sends the browser to the realm's home to sign in, and back to a
// path of this site.
func (p *portal) leaveForHome(w http.ResponseWriter, r *http.Request, back string) {
	var secret string
	p.handoffs.cookie.Read(r, &secret)
	if secret == handoffDone && len(p.sessions(r)) == 0 {
		p.handoffs.cookie.Clear(w.Header())
		p.render(w, http.StatusBadRequest, p.noCookiesPage(r, back))
		return
	}
	if len(secret) != secretLength {
		secret = newSecret()
	}
	query := r.URL.Query()
	request, err := p.sealRequest(handoffRequest{
		Pages:    p.handoffs.pages,
		Return:   back,
		Digest:   digestOf(secret),
		Ask:      query.Has(askParameter),
		Fresh:    query.Has(freshField),
		OnceMore: query.Has(onceMoreParameter),
		Expires:  p.Gate.Cookie.Now().Add(requestLifetime).Unix(),
	})
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if err := p.handoffs.cookie.Set(w.Header(), secret, requestLifetime); err != nil {
		p.fail(w, r, err)
		return
	}
	toHome := url.Values{requestParameter: {request}}
	LoginRequest{Hint: query.Get(hintParameter), Locales: query.Get(localesParameter)}.ask(toHome)
	redirect(w, p.Home+handoffPath+"?"+toHome.Encode())
}

// sealRequest seals a request. One whose way back is too long to be carried
// along leads to the site's root.
func (p *portal) sealRequest(request handoffRequest) (string, error) {
	plain, err := wire.Compact(request)
	if err != nil {
		return "", err
	}
	text := p.handoffs.requests.SealText(plain, p.service.Realm()+"\x00"+p.Home)
	if len(text) > maxRequest && request.Return != "/" {
		request.Return = "/"
		return p.sealRequest(request)
	}
	return text, nil
}

// openRequest returns a request that a site of the realm has made for this
// home. ok is false for anything else.
func (p *portal) openRequest(text string) (request handoffRequest, ok bool) {
	plain, _, err := p.handoffs.requests.OpenText(text, p.service.Realm()+"\x00"+p.Home)
	return request, err == nil && json.Unmarshal(plain, &request) == nil
}

// handOver answers a site's request at the home: by a ticket for who is signed
// in here, by the login page for others.
func (p *portal) handOver(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	sealed := query.Get(requestParameter)
	request, ok := p.openRequest(sealed)
	if !ok {
		p.refuseHandoff(w, r, "no request of this realm", p.loginAddress("/"))
		return
	}
	if p.Gate.Cookie.Now().Unix() >= request.Expires {
		again := request.Pages + "/login?" + url.Values{gate.ReturnParameter: {request.Return}}.Encode()
		p.refuseHandoff(w, r, "the request is too old", again)
		return
	}
	visitor, err := p.visitor(r)
	if err != nil {
		p.fail(w, r, fmt.Errorf("%w: %w", gate.ErrUnchecked, err))
		return
	}
	self := p.Path + handoffPath + "?" + url.Values{requestParameter: {sealed}}.Encode()
	switch {
	case !visitor.SignedIn(), visitor.Bearer, // an access token must not become a session that outlives it
		request.Fresh && visitor.Session.Created.Before(request.made().Add(-clockSkew)):
		page := p.loginPage(r, self, loginHint(query), request.Fresh)
		page.Text = append(page.Text, text.Fill(page.Words.Page.GoOnTo, "site", hostOf(request.Pages)))
		p.render(w, http.StatusOK, page)
	case request.Ask && !query.Has(goOnParameter):
		p.render(w, http.StatusOK, p.signedInPage(r, *visitor.Session, self+"&"+goOnParameter+"=1"))
	default:
		p.issueTicket(w, r, request, *visitor.Session)
	}
}

func (p *portal) issueTicket(w http.ResponseWriter, r *http.Request, request handoffRequest, x otp.Session) {
	now := p.Gate.Cookie.Now()
	value, err := json.Marshal(handoffTicket{
		Pages:   request.Pages,
		Return:  request.Return,
		Digest:  request.Digest,
		Session: p.handoffs.sessions.Seal(x, now),

		OnceMore: request.OnceMore,
	})
	if err != nil {
		p.fail(w, r, err)
		return
	}
	ticket := newSecret()
	if err := p.handoffs.tickets.Put(r.Context(), ticket, "", value); err != nil {
		p.fail(w, r, err)
		return
	}
	p.Gate.Cookie.Set(w.Header(), x) // it was used, and so rests from now on
	redirect(w, request.Pages+handoffPath+"?"+url.Values{ticketParameter: {ticket}}.Encode())
}

// takeOver takes the session of a ticket over from the home.
func (p *portal) takeOver(w http.ResponseWriter, r *http.Request) {
	ticket, err := p.takeTicket(r.Context(), r.URL.Query().Get(ticketParameter)) // used up, whatever comes of it
	switch {
	case errors.Is(err, otp.ErrTaken), errors.Is(err, otp.ErrNotKept):
		p.refuseTicket(w, r, "no live ticket")
		return
	case err != nil:
		p.fail(w, r, err)
		return
	}
	var secret string
	if !p.handoffs.cookie.Read(r, &secret) || subtle.ConstantTimeCompare([]byte(digestOf(secret)), []byte(ticket.Digest)) != 1 {
		p.takeOverElsewhere(w, r, ticket)
		return
	}
	p.handoffs.cookie.Clear(w.Header())
	x, _, _, err := p.handoffs.sessions.Open(ticket.Session)
	if err != nil || ticket.Pages != p.handoffs.pages {
		p.refuseTicket(w, r, "a ticket of another site")
		return
	}
	back := returnPath(ticket.Return)
	switch current, err := p.service.Current(r.Context(), x); {
	case err == nil:
		if err := p.handoffs.cookie.Set(w.Header(), handoffDone, ticketLifetime); err != nil {
			p.fail(w, r, err)
			return
		}
		p.signIn(w, r, current, !current.Temporary)
		redirect(w, back)
	case !errors.Is(err, otp.ErrNoSession):
		p.fail(w, r, err)
	case p.service.Watch().Revoked(x.ID, x.Owner, x.Created):
		p.refuseTicket(w, r, "the session has ended meanwhile")
	default:
		p.render(w, http.StatusForbidden, p.notForSitePage(r, x, back))
	}
}

// takeOverElsewhere answers another browser than the one that asked: it gets no
// session by the ticket, but may ask for one of its own, once. Somebody who is
// signed in at the home by now, since they opened the link of a mail there, goes
// through by that.
func (p *portal) takeOverElsewhere(w http.ResponseWriter, r *http.Request, ticket handoffTicket) {
	const reason = "not the browser that asked"
	if _, ok := p.signedIn(r); ok || ticket.OnceMore || ticket.Pages != p.handoffs.pages {
		p.refuseTicket(w, r, reason)
		return
	}
	p.logRefusal(reason)
	login := url.Values{gate.ReturnParameter: {returnPath(ticket.Return)}, onceMoreParameter: {"1"}}
	redirect(w, LoginPath(p.Path)+"?"+login.Encode())
}

// hostOf returns the host of an address, with its port if it has one.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "" // not of an address that was sealed here
	}
	return u.Host
}

func (p *portal) takeTicket(ctx context.Context, text string) (ticket handoffTicket, err error) {
	value, err := p.handoffs.tickets.Take(ctx, text, "")
	if err != nil {
		return ticket, err
	}
	return ticket, json.Unmarshal(value, &ticket)
}

// refuseTicket answers a ticket that signs nobody in, unless somebody is signed
// in already.
func (p *portal) refuseTicket(w http.ResponseWriter, r *http.Request, reason string) {
	if _, ok := p.signedIn(r); ok {
		redirect(w, "/")
		return
	}
	p.refuseHandoff(w, r, reason, p.loginAddress("/"))
}

func (p *portal) logRefusal(reason string) {
	p.Logger.Info("hand-off refused", slog.String("because_of", reason), slog.String("realm", p.service.Realm()))
}

// refuseHandoff says to start again. The reason is for the log.
func (p *portal) refuseHandoff(w http.ResponseWriter, r *http.Request, reason, again string) {
	p.logRefusal(reason)
	words := p.words(r)
	page := p.messagePage(words, words.Page.FailTitle, words.Page.Restart, way{again, words.Page.SignInAgain})
	p.render(w, http.StatusBadRequest, page)
}

// secretLength is that of a secret.
const secretLength = 43

// newSecret returns 256 random bits as text.
func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func digestOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
