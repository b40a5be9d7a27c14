// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"crypto/sha256"
	"crypto/subtle"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// authenticate returns the client that a request's body names, if it proves to
// be that one. An unknown client, a wrong secret and a missing one are answered
// alike, and so are a secret and an assertion that the client can't have. Other
// errors are that a client's keys or the store can't be asked.
func (d *Dialect) authenticate(r *http.Request, o wire.Object) (Client, error) {
	client, known := d.client(o.Text("client_id"))
	secret, hasSecret := o.String("client_secret")
	proven := equalSecrets(secret, client.Secret) && (hasSecret || !o.Has("client_secret"))
	asserted := o.Has("client_assertion") || o.Has("client_assertion_type")
	switch {
	case !known:
	case asserted:
		// One way at a time (RFC 6749 §2.3).
		if o.Has("client_secret") || o.Text("client_assertion_type") != assertionType || client.Keys == nil {
			break
		}
		if err := d.verifyAssertion(r.Context(), client, o.Text("client_assertion")); err != nil {
			return Client{}, err
		}
		return client, nil
	case client.Keys != nil, client.Type == Regular && client.Secret == "":
		// It has not proved anything, or can't.
	case proven:
		return client, nil
	}
	return Client{}, errInvalidClient
}

// equalSecrets takes the same time whatever the secrets and their lengths.
func equalSecrets(a, b string) bool {
	sumA, sumB := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(sumA[:], sumB[:]) == 1
}

// withBasic returns a request's parameters with the client's id and secret of
// its Authorization header (RFC 6749 §2.3.1), which no SDK of Auth0's sends but
// many others do first. Where the body has a client of its own too, and it
// isn't the same or has a secret, that is [errInvalidClient].
func withBasic(r *http.Request, o wire.Object) (wire.Object, error) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		return o, nil
	}
	id, errID := url.QueryUnescape(id)
	secret, errSecret := url.QueryUnescape(secret)
	named := o.Has("client_id") && o.Text("client_id") != id
	if errID != nil || errSecret != nil || named || o.Has("client_secret") || o.Has("client_assertion") {
		return nil, errInvalidClient
	}
	o = maps.Clone(o)
	if o == nil {
		o = make(wire.Object)
	}
	o["client_id"], o["client_secret"] = id, secret
	return o, nil
}

// parseOAuth reads a request to one of the OAuth endpoints, with the client of
// its Authorization header.
func parseOAuth(r *http.Request) (wire.Object, error) {
	o, err := wire.Parse(r, oauthBodies)
	if err != nil {
		return nil, err
	}
	return withBasic(r, o)
}

// forwardedFor is the header in which a client's server names the address of
// its user.
const forwardedFor = "Auth0-Forwarded-For"

// onBehalf returns a request as its user's, where an authenticated client may
// say so: limits count by the address that it names. One that is no address is
// as if there were none.
func onBehalf(r *http.Request, client Client) *http.Request {
	if !client.TrustForwardedFor || !client.isConfidential() {
		return r
	}
	ip, err := netip.ParseAddr(strings.TrimSpace(r.Header.Get(forwardedFor)))
	if err != nil {
		return r
	}
	caller := wire.CallerOf(r)
	caller.IP = ip.Unmap().WithZone("")
	return wire.WithCaller(r, caller)
}
