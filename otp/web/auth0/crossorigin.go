// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// Cross-origin authentication: a page of a client redeems a code at
// /co/authenticate for a ticket, and takes the browser with it to /authorize.
//
// A browser keeps a cookie of ours where the client's page is of the same site.
// There the ticket is for that browser alone, which it signs in at the site too;
// whoever else presents it has stolen it.
//
// A page of another site gets a ticket that answers only the client. It signs
// nobody in at the site: otherwise any page could sign its visitors in as somebody
// else. The client knows by its state, nonce and code verifier whether it has
// sent the browser there, as it must with a code that is slipped to it in any
// other way (RFC 9700 §4.5, §4.7).

const (
	// ticketLifetime is how long the way to /authorize may take.
	ticketLifetime = time.Minute
	bindingUse     = "ticket"
	ticketUse      = "auth0 ticket"
)

// HiddenCookies are the names of the dialect's cookies beside a session's; the
// app has no business with them.
func HiddenCookies(session *gate.SessionCookie) []string {
	return []string{gate.HostCookieName(session, bindingUse), gate.HostCookieName(session, requestUse)}
}

// loginTicket is what a ticket stands for, in the store.
type loginTicket struct {
	Session string `json:"s"`
	// Browser is the secret of the browser that may be signed in, or empty.
	Browser string `json:"b,omitempty"`
}

type ticketAnswer struct {
	Ticket string `json:"login_ticket"`
	// Verifier and ID are for a page that vouches for the browser where it keeps
	// no cookies; they aren't asked for.
	Verifier string `json:"co_verifier"`
	ID       string `json:"co_id"`
}

var errCrossOriginBody = badRequest("invalid_request",
	"Invalid request body. All and only of client_id, credential_type, username, otp, realm are required.")

// serveCrossOrigin answers POST /co/authenticate.
func (d *Dialect) serveCrossOrigin(w http.ResponseWriter, r *http.Request) error {
	o, err := wire.Parse(r, wire.JSON|wire.Form)
	if err != nil {
		return err
	}
	fields := []string{"client_id", "credential_type", "username", "otp", "realm"}
	if len(o.Unknown(fields...)) > 0 || slices.ContainsFunc(fields, func(name string) bool { return o.Text(name) == "" }) {
		return errCrossOriginBody
	}
	client, known := d.client(o.Text("client_id"))
	switch {
	case !known:
		return errInvalidClient
	case o.Text("credential_type") != grantOTP:
		return badRequest("invalid_request", "Unknown credential_type.")
	}
	if err := d.checkOrigin(r, client); err != nil {
		return err
	}
	answer, err := d.issueTicket(w, r, client, o)
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, answer)
	return nil
}

// checkOrigin demands that the page is one of this client.
func (d *Dialect) checkOrigin(r *http.Request, client Client) error {
	origin := r.Header.Get("Origin")
	if origin == d.Service.PublicURL().String() || slices.Contains(client.Origins, origin) || slices.Contains(d.Origins, origin) {
		return nil
	}
	return refuse(http.StatusForbidden, "access_denied", "Cross-origin authentication: the origin "+origin+" is not allowed.")
}

func (d *Dialect) issueTicket(w http.ResponseWriter, r *http.Request, client Client, o wire.Object) (ticketAnswer, error) {
	g := otpGrant{channel: otp.Channel(o.Text("realm")), username: o.Text("username"), code: o.Text("otp")}
	if g.channel != otp.Email && g.channel != otp.SMS {
		return ticketAnswer{}, badRequest("invalid_request", "Unknown realm "+o.Text("realm")+".")
	}
	wrong := refuse(http.StatusForbidden, "access_denied", wrongCode(g.channel))
	address, err := d.Service.ParseAddress(g.channel, g.username)
	if err != nil {
		return ticketAnswer{}, wrong
	}
	// Browsers of another site keep no cookie of ours: then the session is for
	// the way to the client alone.
	sameSite := r.Header.Get("Sec-Fetch-Site") == "same-site" || r.Header.Get("Sec-Fetch-Site") == "same-origin"
	lifetime := ticketLifetime + codeLifetime
	if sameSite {
		lifetime = d.SessionLifetime
	}
	v, err := d.Verify(r, otp.VerifyRequest{
		Presented: otp.Presented{Lifetime: lifetime},
		Dialect:   Name,
		Client:    client.ID,
		Address:   address,
		Code:      g.code,
	})
	switch {
	case errors.Is(err, otp.ErrWrong):
		return ticketAnswer{}, wrong
	case err != nil:
		return ticketAnswer{}, asAccessDenied(err)
	}
	v.Session.Temporary = true // nobody was asked whose device it is
	return d.keepTicket(w, r, client, v.Session, sameSite)
}

// asAccessDenied gives the refusals of a code the error that this endpoint has
// for them.
func asAccessDenied(err error) error {
	answer := refusalFor("", err)
	if answer.Code != errExpired.Code {
		return err
	}
	return refuse(http.StatusForbidden, "access_denied", answer.Description)
}

func (d *Dialect) keepTicket(w http.ResponseWriter, r *http.Request, client Client, x otp.Session, sameSite bool) (ticketAnswer, error) {
	answer := ticketAnswer{Ticket: rand.Text() + rand.Text(), Verifier: rand.Text(), ID: rand.Text()}
	ticket := loginTicket{Session: d.sealedSessions().Seal(x, d.Issuer.Now())}
	if sameSite {
		ticket.Browser = rand.Text()
		if err := d.binding.Set(w.Header(), ticket.Browser, ticketLifetime); err != nil {
			return ticketAnswer{}, err
		}
	}
	value, err := json.Marshal(ticket)
	if err != nil {
		return ticketAnswer{}, err
	}
	return answer, d.tickets.Put(r.Context(), answer.Ticket, client.ID, value)
}

func (d *Dialect) sealedSessions() *token.Sealed {
	return token.NewSealed(d.Service.Keys(), d.Service.Realm(), ticketUse)
}

// authorizeTicket answers /authorize by a ticket, which is used up by that.
func (d *Dialect) authorizeTicket(w http.ResponseWriter, r *http.Request, a authorization, text string) error {
	value, err := d.tickets.Take(r.Context(), text, a.client.ID)
	switch {
	case errors.Is(err, otp.ErrTaken), errors.Is(err, otp.ErrNotKept):
		d.refuseClient(w, r, a, errTicket)
		return nil
	case err != nil:
		d.refuseClient(w, r, a, err)
		return nil
	}
	var ticket loginTicket
	if err := json.Unmarshal(value, &ticket); err != nil {
		return err
	}
	x, _, _, err := d.sealedSessions().Open(ticket.Session)
	if err != nil {
		d.refuseClient(w, r, a, errTicket)
		return nil
	}
	if ticket.Browser != "" && !d.isBound(r, ticket) {
		d.refuseStolen(w, r, a, x)
		return nil
	}
	x, err = d.Service.Current(r.Context(), x)
	switch {
	case errors.Is(err, otp.ErrNoSession):
		d.refuseClient(w, r, a, errTicket)
		return nil
	case err != nil:
		d.refuseClient(w, r, a, err)
		return nil
	}
	if ticket.Browser != "" {
		d.binding.Clear(w.Header())
		d.Pages.SignIn(w, r, x)
	}
	d.finish(w, r, a, x)
	return nil
}

// isBound reports whether a request is by the browser that a ticket was given to.
func (d *Dialect) isBound(r *http.Request, ticket loginTicket) bool {
	var browser string
	return d.binding.Read(r, &browser) && equalSecrets(browser, ticket.Browser)
}

// refuseStolen answers another browser than that of a ticket, and ends the
// session that nobody will have now.
func (d *Dialect) refuseStolen(w http.ResponseWriter, r *http.Request, a authorization, x otp.Session) {
	if err := d.Service.SignOut(r.Context(), x.ID, x.Expires); err != nil {
		d.refuseClient(w, r, a, err)
		return
	}
	d.Logger.Warn("a login ticket was presented by another browser; its session is ended",
		slog.String("api", Name), slog.String("client", a.client.ID))
	d.refuseClient(w, r, a, errTicket)
}

// wrongCode says that a code isn't right, in the channel's words.
func wrongCode(c otp.Channel) string {
	if c == otp.SMS {
		return "Wrong phone number or verification code."
	}
	return "Wrong email or verification code."
}
