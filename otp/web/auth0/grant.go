// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// The grants of /oauth/token.
const (
	grantOTP     = "http://auth0.com/oauth/grant-type/passwordless/otp"
	grantRefresh = "refresh_token"
)

// implicit is the name of the grant that needs no request there.
const implicit = "implicit"

// grants are the grants of /oauth/token by their grant_type.
var grants = map[string]Grant{grantOTP: GrantOTP, grantRefresh: GrantRefresh, grantCode: GrantCode}

// oauthBodies are what the SDKs send to the OAuth endpoints: auth0-js posts
// JSON, node forms, go-auth0 a code as JSON and a refresh token as a form.
const oauthBodies = wire.JSON | wire.Form | wire.PlainJSON

// serveToken answers POST /oauth/token.
func (d *Dialect) serveToken(w http.ResponseWriter, r *http.Request) error {
	answer, err := d.grant(r)
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, answer)
	return nil
}

func (d *Dialect) grant(r *http.Request) (tokenAnswer, error) {
	o, err := parseOAuth(r)
	if err != nil {
		return tokenAnswer{}, err
	}
	grant, err := decodeGrantType(o)
	if err != nil {
		return tokenAnswer{}, err
	}
	if _, err := requiredParameter(o, "client_id"); err != nil {
		return tokenAnswer{}, err
	}
	client, err := d.authenticate(r, o)
	if err != nil {
		return tokenAnswer{}, err
	}
	if !client.mayUse(grants[grant]) {
		return tokenAnswer{}, grantNotAllowed(grant)
	}
	r = onBehalf(r, client)
	switch grant {
	case grantRefresh:
		return d.grantRefresh(r, client, o)
	case grantCode:
		return d.grantCode(r, client, o)
	}
	return d.grantOTP(r, client, o)
}

// grantNotAllowed is the error of a grant that a client may not use, by its
// grant_type.
func grantNotAllowed(grant string) error {
	return &refusal{
		status:      http.StatusForbidden,
		Code:        "unauthorized_client",
		Description: "Grant type '" + grant + "' not allowed for the client.",
		URI:         "https://auth0.com/docs/clients/client-grant-types",
	}
}

// decodeGrantType reads which grant a request is, before who sends it is
// judged.
func decodeGrantType(o wire.Object) (string, error) {
	grant, err := requiredParameter(o, "grant_type")
	if _, known := grants[grant]; err == nil && !known {
		err = refuse(http.StatusNotImplemented, "unsupported_grant_type", "Unsupported grant type: "+grant)
	}
	return grant, err
}

// otpGrant presents a code.
type otpGrant struct {
	channel        otp.Channel
	username, code string
	scopes         scopeSet
	audience       string
}

// wrong is the error of a code that isn't right, in the channel's words.
func (g otpGrant) wrong() error {
	return invalidGrant(wrongCode(g.channel))
}

func decodeOTPGrant(o wire.Object) (otpGrant, error) {
	var g otpGrant
	realm, err := requiredParameter(o, "realm")
	if err != nil {
		return g, err
	}
	if g.username, err = requiredParameter(o, "username"); err != nil {
		return g, err
	}
	if g.code, err = requiredParameter(o, "otp"); err != nil {
		return g, err
	}
	if g.audience, err = optionalParameter(o, "audience"); err != nil {
		return g, err
	}
	if g.scopes, err = decodeScope(o); err != nil {
		return g, err
	}
	g.channel = otp.Channel(realm)
	if g.channel != otp.Email && g.channel != otp.SMS {
		return g, badRequest("invalid_request", "Unknown realm "+realm+".")
	}
	return g, nil
}

// grantOTP redeems a code. A username that no address can be is answered like
// a wrong code: it can't have asked for one.
func (d *Dialect) grantOTP(r *http.Request, client Client, o wire.Object) (tokenAnswer, error) {
	g, err := decodeOTPGrant(o)
	if err != nil {
		return tokenAnswer{}, err
	}
	if g.audience, err = d.audienceFor(client, g.audience); err != nil {
		return tokenAnswer{}, err
	}
	v, err := d.redeemOTP(r, client, g)
	switch {
	case errors.Is(err, otp.ErrWrong):
		return tokenAnswer{}, g.wrong()
	case err != nil:
		return tokenAnswer{}, err
	}
	return d.issueUnlessDue(r.Context(), v)
}

// redeemOTP opens the session that a code is presented for, with the errors of
// [wire.Dialect.Verify].
func (d *Dialect) redeemOTP(r *http.Request, client Client, g otpGrant) (otp.Verification, error) {
	address, err := d.Service.ParseAddress(g.channel, g.username)
	if err != nil {
		return otp.Verification{}, otp.ErrWrong
	}
	return d.Verify(r, otp.VerifyRequest{
		Presented: d.presented(client, g.scopes, g.audience),
		Dialect:   Name,
		Client:    client.ID,
		Address:   address,
		Code:      g.code,
	})
}

// presented is what a client's session is to be: renewable where its scopes ask
// for that and the client may.
func (d *Dialect) presented(client Client, scopes scopeSet, audience string) otp.Presented {
	if !client.mayUse(GrantRefresh) {
		scopes = scopes.without(scopeOffline)
	}
	p := otp.Presented{Lifetime: d.AccessLifetime, Scope: scopes.String(), Audience: audience}
	if scopes.has(scopeOffline) {
		p.Lifetime, p.Renewable = d.RefreshLifetime, true
	}
	return p
}

// grantRefresh renews a session. It can be narrowed to fewer scopes for the
// tokens of this answer, never widened.
func (d *Dialect) grantRefresh(r *http.Request, client Client, o wire.Object) (tokenAnswer, error) {
	raw, err := requiredParameter(o, "refresh_token")
	if err != nil {
		return tokenAnswer{}, err
	}
	asked, err := decodeScope(o)
	if err != nil {
		return tokenAnswer{}, err
	}
	v, err := d.renew(r.Context(), client, raw)
	switch {
	case errors.Is(err, otp.ErrNoSession), errors.Is(err, otp.ErrReused):
		return tokenAnswer{}, errBadRefresh
	case err != nil:
		return tokenAnswer{}, err
	}
	if asked != nil {
		v.Session.Scope = asked.within(parseScopes(v.Session.Scope)).String()
	}
	return d.issueUnlessDue(r.Context(), v)
}

func requiredParameter(o wire.Object, name string) (string, error) {
	text, err := optionalParameter(o, name)
	if err == nil && text == "" {
		err = badRequest("invalid_request", "Missing required parameter: "+name)
	}
	return text, err
}

func optionalParameter(o wire.Object, name string) (string, error) {
	text, ok := o.String(name)
	if o.Has(name) && !ok {
		return "", badRequest("invalid_request", "Parameter "+name+" must be a string")
	}
	return text, nil
}
