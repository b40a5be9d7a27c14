// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/portal"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// Parameters of /authorize besides those of [authParams].
const (
	clientParameter    = "client_id"
	ticketParameter    = "login_ticket"
	promptParameter    = "prompt"
	maxAgeParameter    = "max_age"
	loginHintParameter = "login_hint"
	localesParameter   = "ui_locales"

	// askedParameter is ours: when the browser was sent to sign in again,
	// sealed.
	askedParameter = "asked"
	// resumeParameter is ours: the request is kept in the browser's cookie,
	// since it is too long for the way through the login.
	resumeParameter = "resume"
)

// The values of prompt (OpenID Connect Core §3.1.2.1) that have a meaning here.
// An account is selected by signing in; a consent isn't asked for, since
// clients are the site's own.
const (
	promptNone   = "none"
	promptLogin  = "login"
	promptSelect = "select_account"
)

var (
	errLoginRequired       = badRequest("login_required", "Login required")
	errInteractionRequired = badRequest("interaction_required", "A second factor is required")
	errNoClient            = badRequest("invalid_request", "Missing required parameter: client_id")
	errNoCallback          = badRequest("invalid_request", "The client has no callbacks: nobody can be sent back to it.")
	errTwice               = badRequest("invalid_request", "A parameter is given more than once")
	errTicket              = refuse(http.StatusForbidden, "access_denied", "The login ticket is unknown, was used or has expired.")
)

// authorizeRequest is a request for /authorize.
type authorizeRequest struct {
	authorization
	// silent has nobody asked anything (prompt=none).
	silent bool
	// fresh has the person sign in again if they didn't after asked. It is
	// what the request says; maxAge may demand it too.
	fresh  bool
	maxAge time.Duration
	// asked is when the browser was sent to sign in again, or zero.
	asked time.Time
	// hint and locales are for the login page.
	hint, locales string
}

// anyAge is the maxAge of a request that has none.
const anyAge time.Duration = -1

// serveAuthorize answers GET /authorize: to the client goes what it asks for of
// who is signed in at the site, who comes with a login ticket, or who signs in
// now. It changes nothing for who is signed in, except by a ticket that this
// browser has asked for.
func (d *Dialect) serveAuthorize(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet { // a HEAD must use up no ticket
		w.Header().Set("Allow", http.MethodGet)
		return wire.ErrMethod
	}
	query := d.resumed(r)
	a, err := d.decodeAuthorization(r, query)
	if err != nil {
		return d.refuseBrowser(w, r, err)
	}
	request := authorizeRequest{authorization: a, asked: d.openAsked(a.client, query.Get(askedParameter))}
	if err := request.decode(query); err != nil {
		d.refuseClient(w, r, a, err)
		return nil
	}
	if err := a.check(d); err != nil {
		d.refuseClient(w, r, a, err)
		return nil
	}
	if query.Has(ticketParameter) {
		return d.authorizeTicket(w, r, a, query.Get(ticketParameter))
	}
	return d.authorizeSession(w, r, request)
}

// decodeAuthorization reads what a browser's address asks for on behalf of a
// client. Its errors are for the person alone.
func (d *Dialect) decodeAuthorization(r *http.Request, query url.Values) (authorization, error) {
	if err := fetched(r); err != nil {
		return authorization{}, err
	}
	if givenTwice(query) {
		return authorization{}, errTwice
	}
	client, known := d.client(query.Get(clientParameter))
	switch {
	case query.Get(clientParameter) == "":
		return authorization{}, errNoClient
	case !known:
		return authorization{}, errInvalidClient
	}
	var p authParams
	p.read(query)
	a, err := authorizationOf(client, p)
	if err == nil && a.target == nil {
		err = errNoCallback
	}
	return a, err
}

// givenTwice reports whether a parameter occurs more than once, which has no
// meaning (RFC 6749 §3.1).
func givenTwice(query url.Values) bool {
	for _, values := range query {
		if len(values) > 1 {
			return true
		}
	}
	return false
}

// decode reads how the person is to be asked, and demands what links can do
// without.
func (q *authorizeRequest) decode(query url.Values) error {
	prompts := strings.Fields(query.Get(promptParameter))
	q.silent = slices.Contains(prompts, promptNone)
	q.fresh = slices.Contains(prompts, promptLogin) || slices.Contains(prompts, promptSelect)
	q.maxAge = anyAge
	q.hint, q.locales = query.Get(loginHintParameter), query.Get(localesParameter)
	if text := query.Get(maxAgeParameter); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 32)
		if err != nil || seconds < 0 {
			return badRequest("invalid_request", "max_age must be a number of seconds")
		}
		q.maxAge = time.Duration(seconds) * time.Second
	}
	switch {
	case q.silent && len(prompts) > 1:
		return badRequest("invalid_request", "prompt none stands alone")
	case q.ResponseType == "":
		return badRequest("invalid_request", "Missing required parameter: response_type")
	case q.asksFor(responseID) && q.Nonce == "":
		return badRequest("invalid_request", "Missing required parameter: nonce")
	case query.Has("request") || query.Has("request_uri"):
		return badRequest("request_not_supported", "Request objects aren't supported")
	}
	return nil
}

// authorizeSession answers by the session of the site's pages, or leads to the
// login and back.
func (d *Dialect) authorizeSession(w http.ResponseWriter, r *http.Request, q authorizeRequest) error {
	x, err := d.Pages.Session(r)
	signedIn := err == nil
	silent := q.silent || q.mode() == modeWebMessage // a frame is no place to sign in
	switch {
	case !signedIn && !errors.Is(err, otp.ErrNoSession):
		if silent {
			d.refuseClient(w, r, q.authorization, err)
		} else {
			d.Pages.Fail(w, r, fmt.Errorf("%w: %w", gate.ErrUnchecked, err))
		}
	case signedIn && q.holds(x, d.Issuer.Now()):
		if silent && !d.Pages.Gate.HasFactor(x) {
			d.refuseClient(w, r, q.authorization, errInteractionRequired)
			return nil
		}
		d.finish(w, r, q.authorization, x)
	case silent, signedIn && !q.asked.IsZero():
		d.refuseClient(w, r, q.authorization, errLoginRequired)
	default:
		back, err := d.wayBack(w, q)
		if err != nil {
			return err
		}
		d.Pages.Login(w, portal.LoginRequest{Return: back, Fresh: signedIn, Hint: q.hint, Locales: q.locales})
	}
	return nil
}

// clockSkew is how far the clocks of a node and of the store may be apart.
const clockSkew = 10 * time.Second

// holds reports whether a session is as new as the request demands.
func (q authorizeRequest) holds(x otp.Session, now time.Time) bool {
	if !q.asked.IsZero() && x.Created.After(q.asked.Add(-clockSkew)) {
		return true
	}
	return !q.fresh && (q.maxAge == anyAge || now.Sub(x.Created) <= q.maxAge+clockSkew)
}

// wayBack is the path of this request for after the login: with what is made use
// of, and when the person was sent. One that is too long for the way stays in the
// browser.
func (d *Dialect) wayBack(w http.ResponseWriter, q authorizeRequest) (string, error) {
	values := q.query()
	if !q.named {
		values.Del("redirect_uri")
	}
	values.Set(clientParameter, q.client.ID)
	if q.fresh {
		values.Set(promptParameter, promptLogin)
	}
	if q.maxAge > anyAge {
		values.Set(maxAgeParameter, strconv.Itoa(int(q.maxAge/time.Second)))
	}
	if q.asked.IsZero() {
		q.asked = d.Issuer.Now()
	}
	values.Set(askedParameter, d.sealAsked(q.client, q.asked))
	if back := authorizePath + "?" + values.Encode(); len(back) <= maxWayBack {
		return back, nil
	}
	kept := keptRequest{ID: rand.Text(), Query: values.Encode()}
	if len(kept.Query) > maxKeptRequest {
		return "", wire.ErrTooLarge
	}
	if err := d.requests.Set(w.Header(), kept, requestLifetime); err != nil {
		return "", err
	}
	return authorizePath + "?" + url.Values{clientParameter: {q.client.ID}, resumeParameter: {kept.ID}}.Encode(), nil
}

const (
	requestUse = "authorize"
	// requestLifetime is how long a login may take.
	requestLifetime = 15 * time.Minute
	// maxWayBack leaves the login some room for what it puts around a path.
	maxWayBack = gate.MaxReturnPath - 64
	// maxKeptRequest keeps the sealed cookie below the 4096 bytes that browsers
	// keep.
	maxKeptRequest = 2800
)

// keptRequest is a request that stays in the browser, sealed.
type keptRequest struct {
	ID    string `json:"i"`
	Query string `json:"q"`
}

// resumed returns the parameters of a request, those kept for it where it says
// so.
func (d *Dialect) resumed(r *http.Request) url.Values {
	query := r.URL.Query()
	if !query.Has(resumeParameter) {
		return query
	}
	var kept keptRequest
	if d.requests.Read(r, &kept) && kept.ID == query.Get(resumeParameter) {
		if values, err := url.ParseQuery(kept.Query); err == nil {
			return values
		}
	}
	return query
}

// sealAsked and openAsked keep a time in the address, which nobody else can
// make up. One that is too long ago is as if there were none.
func (d *Dialect) sealAsked(c Client, at time.Time) string {
	return d.freshness.SealText(binary.AppendVarint(nil, at.UnixMilli()), d.Service.Realm()+"\x00"+c.ID)
}

func (d *Dialect) openAsked(c Client, text string) time.Time {
	plain, _, err := d.freshness.OpenText(text, d.Service.Realm()+"\x00"+c.ID)
	if err != nil {
		return time.Time{}
	}
	ms, n := binary.Varint(plain)
	at := time.UnixMilli(ms)
	if n <= 0 || d.Issuer.Now().Sub(at) > requestLifetime {
		return time.Time{}
	}
	return at
}
