// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// logout ends the sessions of the tokens that a request carries, if any. An
// access token that has expired is proof enough to end its session.
func (d *dialect) logout(w http.ResponseWriter, r *http.Request) error {
	for _, raw := range []string{accessToken(r), cookieValue(r, refreshCookie)} {
		id, expires, err := d.sessionOf(r.Context(), raw)
		if err == nil && id != "" {
			err = d.Service.SignOut(r.Context(), id, expires)
		}
		if err != nil {
			return err
		}
	}
	d.clearCookies(w.Header())
	wire.WriteJSON(w, http.StatusOK, message{"Logged out successfully"})
	return nil
}

// sessionOf returns the session that a token belongs to and when it ends, or
// no session for what isn't a token of this dialect.
func (d *dialect) sessionOf(ctx context.Context, raw string) (id otp.SessionID, expires time.Time, err error) {
	if raw == "" {
		return "", expires, nil
	}
	x, err := d.Issuer.ParseAccess(ctx, raw)
	switch {
	case err == nil || errors.Is(err, token.ErrExpired):
		if x.Dialect == Name {
			return x.ID, x.Expires, nil
		}
		return "", expires, nil
	case !errors.Is(err, token.ErrInvalid):
		return "", expires, err
	}
	renewal, err := d.parseRenewal(raw)
	if errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrExpired) {
		return "", expires, nil
	}
	return renewal.session, renewal.expires, err
}

// logoutAll ends all sessions of the person, on every API and page.
func (d *dialect) logoutAll(w http.ResponseWriter, r *http.Request) error {
	x, err := d.authenticateOwn(r)
	if err != nil {
		return err
	}
	if err := d.Service.SignOutEverywhere(r.Context(), x.Subject, d.LongestSession); err != nil {
		return err
	}
	d.clearCookies(w.Header())
	wire.WriteJSON(w, http.StatusOK, message{"Logged out from all devices successfully"})
	return nil
}
