// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
)

// serveRevoke answers POST /oauth/revoke (RFC 7009): 200 with an empty body,
// also for a token that isn't valid (any more).
func (d *Dialect) serveRevoke(w http.ResponseWriter, r *http.Request) error {
	if err := d.revoke(r); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (d *Dialect) revoke(r *http.Request) error {
	o, err := parseOAuth(r)
	if err != nil {
		return err
	}
	if _, err := requiredParameter(o, "client_id"); err != nil {
		return err
	}
	raw, err := requiredParameter(o, "token")
	if err != nil {
		return err
	}
	client, err := d.authenticate(r, o)
	if err != nil {
		return err
	}
	x, err := d.sessionOf(r.Context(), client, raw)
	switch {
	case errors.Is(err, otp.ErrNoSession), errors.Is(err, otp.ErrReused):
		return nil // it is void already
	case err != nil:
		return err
	}
	return d.Service.SignOut(r.Context(), x.ID, x.Expires)
}

// sessionOf returns the session that one of the client's tokens belongs to,
// or [otp.ErrNoSession]. A refresh token is used up by that.
func (d *Dialect) sessionOf(ctx context.Context, client Client, raw string) (otp.Session, error) {
	x, err := d.Issuer.ParseAccess(ctx, raw)
	switch {
	case err == nil && x.Dialect == Name && x.Client == client.ID:
		return x, nil
	case err == nil, errors.Is(err, token.ErrExpired):
		return otp.Session{}, otp.ErrNoSession
	case !errors.Is(err, token.ErrInvalid):
		return otp.Session{}, err
	}
	v, err := d.renew(ctx, client, raw)
	return v.Session, err
}
