// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// presented is a refresh token and how it came.
type presented struct {
	raw      string
	inCookie bool
}

// presentedRefresh returns the refresh token of the body, which may be left
// out, else of the cookie.
func presentedRefresh(r *http.Request) (presented, error) {
	body, err := wire.ParseOptional(r, wire.JSON)
	if err != nil {
		return presented{}, err
	}
	if err := checkKeys(body, "refreshToken"); err != nil {
		return presented{}, err
	}
	raw, err := optionalText(body, "refreshToken")
	if err != nil || raw != "" {
		return presented{raw: raw}, err
	}
	return presented{raw: cookieValue(r, refreshCookie), inCookie: true}, nil
}

// refresh renews a session. A token that came in a cookie goes back in one,
// whatever the request asks for: a script that can't read the cookie mustn't
// get its successor either.
func (d *dialect) refresh(w http.ResponseWriter, r *http.Request) error {
	p, err := presentedRefresh(r)
	if err != nil {
		return err
	}
	if p.raw == "" {
		return errNoRefreshToken
	}
	t, err := d.renew(r, p.raw)
	if err != nil {
		return err
	}
	remember := cookieValue(r, rememberCookie) != "0"
	d.deliver(w, t, p.inCookie || wantsCookies(r), remember, loginAnswer{Message: "Token refreshed successfully"})
	return nil
}

func (d *dialect) renew(r *http.Request, raw string) (tokens, error) {
	renewal, err := d.parseRenewal(raw)
	switch {
	case errors.Is(err, token.ErrInvalid), errors.Is(err, token.ErrExpired):
		return tokens{}, errRefreshForeign
	case err != nil:
		return tokens{}, err
	}
	v, err := d.Service.Refresh(r.Context(), Name, renewal.session, renewal.secret)
	switch {
	case errors.Is(err, otp.ErrReused), errors.Is(err, otp.ErrNoSession):
		return tokens{}, errRefreshUsedUp
	case err != nil:
		return tokens{}, err
	}
	return d.issue(r.Context(), v)
}
