// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// grantCode is the grant_type of an authorization code.
const grantCode = "authorization_code"

var (
	errBadCode     = invalidGrant("Invalid authorization code")
	errRedirectURI = invalidGrant("The redirect URI is wrong.")
	errVerifier    = invalidGrant("Failed to verify code verifier")
)

// grantCode redeems an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.5).
// Whether it is this site's and the client's, and was sent where the client says,
// is judged before it is used up: a thief can't spoil it.
func (d *Dialect) grantCode(r *http.Request, client Client, o wire.Object) (tokenAnswer, error) {
	code, err := requiredParameter(o, "code")
	if err != nil {
		return tokenAnswer{}, err
	}
	redirectURI, err := optionalParameter(o, "redirect_uri")
	if err != nil {
		return tokenAnswer{}, err
	}
	verifier, err := optionalParameter(o, "code_verifier")
	if err != nil {
		return tokenAnswer{}, err
	}
	g, err := d.Service.OpenGrant(code)
	if err != nil || g.Dialect != Name || g.Client != client.ID {
		return tokenAnswer{}, errBadCode
	}
	var p codePayload
	if err := json.Unmarshal(g.Payload, &p); err != nil {
		return tokenAnswer{}, err
	}
	switch {
	case p.Issuer != d.Issuer.URL():
		return tokenAnswer{}, errBadCode
	case redirectURI != p.RedirectURI && (redirectURI != "" || p.Named):
		return tokenAnswer{}, errRedirectURI
	case !verifies(p.Challenge, verifier):
		return tokenAnswer{}, errVerifier
	}
	return d.redeemCode(r, client, g, p)
}

func (d *Dialect) redeemCode(r *http.Request, client Client, g otp.Grant, p codePayload) (tokenAnswer, error) {
	if err := d.Issuer.Prepare(r.Context()); err != nil {
		return tokenAnswer{}, err
	}
	presented := d.presented(client, parseScopes(p.Scope), p.Audience)
	presented.Device = wire.Device(r.UserAgent())
	v, err := d.Service.RedeemGrant(r.Context(), g, presented)
	switch {
	case errors.Is(err, otp.ErrWrong), errors.Is(err, otp.ErrExpired), errors.Is(err, otp.ErrNoSession):
		return tokenAnswer{}, errBadCode
	case err != nil:
		return tokenAnswer{}, err
	}
	claims := map[string]any{"auth_time": p.AuthTime}
	if p.Nonce != "" {
		claims["nonce"] = p.Nonce
	}
	return d.issueWith(r.Context(), v, claims)
}
