// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// ownsAccess reports whether a request's bearer token is an access token of
// this dialect, whether or not it still holds.
func (d *dialect) ownsAccess(r *http.Request) bool {
	_, err := d.bearerSession(r)
	return err == nil
}

// ownsLogout reports whether a request wants to end one of our sessions.
func (d *dialect) ownsLogout(r *http.Request) bool {
	return d.ownsAccess(r) || ownsRefresh(r)
}

// bearerSession returns the session that the bearer token belongs to, though
// the token may have expired. It returns [token.ErrInvalid] for a token that
// isn't of this dialect, or an error of the store.
func (d *dialect) bearerSession(r *http.Request) (otp.Session, error) {
	x, err := d.Issuer.ParseAccess(r.Context(), wire.Bearer(r))
	if err != nil && !errors.Is(err, token.ErrExpired) {
		return otp.Session{}, err
	}
	if x.Dialect != Name {
		return otp.Session{}, token.ErrInvalid
	}
	return x, nil
}

// authenticate returns the session of this dialect that a request is made in.
// One without the second factor that the site demands is as good as pending.
func (d *dialect) authenticate(r *http.Request) (otp.Session, error) {
	x, err := d.Issuer.Authenticate(r.Context(), wire.Bearer(r))
	switch {
	case err == nil && x.Dialect != Name:
		return otp.Session{}, token.ErrInvalid
	case err == nil && x.MFA.IsZero() && d.Service.DemandsFactor(x):
		return otp.Session{}, otp.ErrPending
	}
	return x, err
}

// me answers with who is signed in.
func (d *dialect) me(w http.ResponseWriter, r *http.Request) error {
	x, err := d.authenticate(r)
	if err != nil {
		return err
	}
	d.succeed(w, "success", userOf(x))
	return nil
}

// signedOut is what the answer to a logout says.
type signedOut struct {
	Message          string `json:"message"`
	TokenInvalidated bool   `json:"token_invalidated"`
}

// logout ends the session of the bearer token and that of the refresh token,
// if they are any of ours; it is no error if they aren't.
func (d *dialect) logout(w http.ResponseWriter, r *http.Request) error {
	raw, err := presentedRefresh(r)
	if err != nil {
		return err
	}
	ended := false
	x, err := d.bearerSession(r)
	if err == nil {
		err, ended = d.Service.SignOut(r.Context(), x.ID, x.Expires), true
	}
	if err != nil && !errors.Is(err, token.ErrInvalid) {
		return err
	}
	// The refresh token must be judged first; to use it up is the way.
	v, err := d.renew(r, raw)
	switch {
	case err == nil:
		err, ended = d.Service.SignOut(r.Context(), v.Session.ID, v.Session.Expires), true
	case errors.Is(err, otp.ErrReused):
		err, ended = nil, true // that has ended it
	case errors.Is(err, token.ErrInvalid), errors.Is(err, otp.ErrNoSession):
		err = nil
	}
	if err != nil {
		return err
	}
	d.succeed(w, "logged out", signedOut{"logged out", ended})
	return nil
}
