// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

const badToken = "The access token is invalid, expired or revoked, or isn't for this address"

// challenge asks for an access token (RFC 6750 §3).
func (d *Dialect) challenge() string { return `Bearer realm="` + d.Service.Realm() + `"` }

// serveUserinfo answers GET and POST /userinfo (OpenID Connect Core §5.3): what
// the access token's scope covers, and nothing without openid. A token for an
// API alone, which hasn't this address among its audiences, is as good as none.
func (d *Dialect) serveUserinfo(w http.ResponseWriter, r *http.Request) error {
	bearer := wire.Bearer(r)
	if bearer == "" {
		w.Header().Set("WWW-Authenticate", d.challenge())
		return errUnauthorized
	}
	x, err := d.Issuer.AuthenticateFor(r.Context(), bearer, d.userinfoURL(), d.Issuer.URL())
	if err == nil && d.lacksFactor(x) {
		err = otp.ErrPending
	}
	switch {
	case errors.Is(err, token.ErrInvalid), errors.Is(err, token.ErrExpired), errors.Is(err, otp.ErrNoSession):
		w.Header().Set("WWW-Authenticate", d.challenge()+`, error="invalid_token", error_description="`+badToken+`"`)
		return errUnauthorized
	case err != nil:
		return err
	}
	claims := map[string]any{}
	if parseScopes(x.Scope).has(scopeOpenID) {
		claims = d.profile(x)
	}
	wire.WriteJSON(w, http.StatusOK, claims)
	return nil
}
