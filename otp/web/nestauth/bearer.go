// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// accessToken returns the token that a request is made with: its bearer
// token, else the cookie.
func accessToken(r *http.Request) string {
	if bearer := wire.Bearer(r); bearer != "" {
		return bearer
	}
	return cookieValue(r, accessCookie)
}

// ownsAccess reports whether a request is made with a token of this dialect,
// whether or not it still holds.
func (d *dialect) ownsAccess(r *http.Request) bool {
	return d.issued(r.Context(), accessToken(r))
}

// ownsAny is ownsAccess for a path where a refresh cookie alone will do.
func (d *dialect) ownsAny(r *http.Request) bool {
	return d.ownsAccess(r) || d.issued(r.Context(), cookieValue(r, refreshCookie))
}

// ownsRefresh reports whether a request wants to renew one of our sessions.
func (d *dialect) ownsRefresh(r *http.Request) bool {
	p, err := presentedRefresh(r)
	return err == nil && d.issued(r.Context(), p.raw)
}

// issued reports whether a token, access or refresh, is of this dialect.
func (d *dialect) issued(ctx context.Context, raw string) bool {
	if raw == "" {
		return false
	}
	x, err := d.Issuer.ParseAccess(ctx, raw)
	if err == nil || errors.Is(err, token.ErrExpired) {
		return x.Dialect == Name
	}
	_, err = d.parseRenewal(raw)
	return err == nil || errors.Is(err, token.ErrExpired)
}

// authenticate returns the session of this realm, whichever API opened it,
// that a request is made in.
func (d *dialect) authenticate(r *http.Request) (otp.Session, error) {
	raw := accessToken(r)
	if raw == "" {
		return otp.Session{}, errNoAuthentication
	}
	return d.Issuer.Authenticate(r.Context(), raw)
}

// authenticateOrPending is authenticateOwn for what a session may be used for
// before its second factor is proved.
func (d *dialect) authenticateOrPending(r *http.Request) (otp.Session, error) {
	raw := accessToken(r)
	if raw == "" {
		return otp.Session{}, errNoAuthentication
	}
	x, err := d.Issuer.AuthenticateOrPending(r.Context(), raw)
	if err == nil && x.Dialect != Name {
		return otp.Session{}, token.ErrInvalid
	}
	return x, err
}

// authenticateOwn is authenticate for a session that this dialect opened: a
// token that another API gave to somebody for something else proves nothing
// here. A session from before a second factor was demanded is as good as pending.
func (d *dialect) authenticateOwn(r *http.Request) (otp.Session, error) {
	x, err := d.authenticate(r)
	switch {
	case err == nil && x.Dialect != Name:
		return otp.Session{}, token.ErrInvalid
	case err == nil && x.MFA.IsZero() && d.demandsFactor(x):
		return otp.Session{}, otp.ErrPending
	}
	return x, err
}
