// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/portal"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// The parameters of where to go: Auth0's, and those of OpenID Connect
// RP-Initiated Logout §2.
const (
	returnToParameter    = "returnTo"
	afterLogoutParameter = "post_logout_redirect_uri"
	stateParameter       = "state"
)

var errReturnTo = badRequest("invalid_request", "The returnTo URL isn't one of the client's logout URLs.")

// serveLogout answers GET /v2/logout: it ends the session that the browser has at
// the site, and sends it where the client says. At once it does so only where a
// page of the client has sent it, by what the browser tells; everybody else is
// asked, so that no foreign page can sign its visitors out.
func (d *Dialect) serveLogout(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	client, target, err := d.decodeLogout(r.Context(), query)
	if err != nil {
		return d.refuseBrowser(w, r, err)
	}
	_, err = d.Pages.Session(r)
	switch {
	case errors.Is(err, otp.ErrNoSession):
		d.leave(w, r, target)
		return nil
	case err != nil:
		d.Pages.Fail(w, r, fmt.Errorf("%w: %w", gate.ErrUnchecked, err))
		return nil
	case r.Method == http.MethodGet && d.sentBy(r, client):
		return d.signOut(w, r, target)
	}
	fields := url.Values{clientParameter: {client.ID}}
	for _, name := range []string{returnToParameter, afterLogoutParameter, stateParameter} {
		if query.Has(name) {
			fields.Set(name, query.Get(name))
		}
	}
	d.Pages.Ask(w, r, portal.Question{Action: logoutPath, Fields: fields})
	return nil
}

// confirmLogout answers the form of the page that asks.
func (d *Dialect) confirmLogout(w http.ResponseWriter, r *http.Request) error {
	form, err := wire.Parse(r, wire.Form)
	if err != nil {
		return err
	}
	_, target, err := d.decodeLogout(r.Context(), formValues(form))
	if err != nil {
		return d.refuseBrowser(w, r, err)
	}
	return d.signOut(w, r, target)
}

func (d *Dialect) signOut(w http.ResponseWriter, r *http.Request, target string) error {
	if err := d.Pages.SignOut(w, r); err != nil {
		d.Pages.Fail(w, r, err)
		return nil
	}
	d.leave(w, r, target)
	return nil
}

func (d *Dialect) leave(w http.ResponseWriter, r *http.Request, target string) {
	if target == "" {
		d.Pages.SignedOut(w, r)
		return
	}
	redirect(w, r, target)
}

// leaving returns the client that a logout names, by its id or by an ID token.
// A token that is none of ours (any more) names nobody; where both are there
// they must agree.
func (d *Dialect) leaving(ctx context.Context, values url.Values) (Client, error) {
	id := values.Get(clientParameter)
	client, known := d.client(id)
	hinted, byHint, err := d.hinted(ctx, values.Get(hintParameter))
	switch {
	case err != nil:
		return Client{}, err
	case id == "" && byHint:
		return hinted, nil
	case id == "":
		return Client{}, errNoClient
	case !known:
		return Client{}, errInvalidClient
	case byHint && hinted.ID != id:
		return Client{}, errHint
	}
	return client, nil
}

// decodeLogout returns the client and where to go, empty for nowhere: one of the
// client's logout URLs, exactly, or one of its origins.
func (d *Dialect) decodeLogout(ctx context.Context, values url.Values) (Client, string, error) {
	if givenTwice(values) {
		return Client{}, "", errTwice
	}
	client, err := d.leaving(ctx, values)
	if err != nil {
		return Client{}, "", err
	}
	target, standard := values.Get(returnToParameter), values.Get(afterLogoutParameter)
	if target == "" {
		target = standard
	}
	switch {
	case target == "" && len(client.LogoutURLs) > 0:
		return client, client.LogoutURLs[0], nil
	case target == "":
		return client, "", nil
	case !slices.Contains(client.LogoutURLs, target) && !slices.Contains(client.Origins, target):
		return Client{}, "", errReturnTo
	}
	if state := values.Get(stateParameter); target == standard && state != "" {
		return client, withQuery(target, url.Values{stateParameter: {state}}), nil
	}
	return client, target, nil
}

// sentBy reports whether a page of the client has sent the browser here: its
// origin is among the client's own, and of a page that the browser shows, not of
// something that is loaded into one.
func (d *Dialect) sentBy(r *http.Request, client Client) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return false
	}
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
		return false
	}
	page, err := url.Parse(r.Referer())
	if err != nil || page.Host == "" {
		return false
	}
	origin := page.Scheme + "://" + page.Host
	if origin == d.Service.PublicURL().String() || slices.Contains(client.Origins, origin) {
		return true
	}
	return slices.ContainsFunc(slices.Concat(client.Callbacks, client.LogoutURLs), func(address string) bool {
		u, err := url.Parse(address)
		return err == nil && u.Scheme+"://"+u.Host == origin
	})
}
