// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// presentedRefresh returns the refresh_token of a body that may be left out,
// or "".
func presentedRefresh(r *http.Request) (string, error) {
	body, err := wire.ParseOptional(r, wire.JSON)
	if err != nil {
		return "", err
	}
	f := reader{body: body}
	raw := f.text("refresh_token")
	f.only("refresh_token")
	return raw, f.err()
}

// ownsRefresh reports whether a request carries a refresh token of our form.
// Only the store knows more.
func ownsRefresh(r *http.Request) bool {
	raw, err := presentedRefresh(r)
	if err != nil {
		return false
	}
	_, _, err = token.ParseRefresh(raw)
	return err == nil
}

// refresh renews a session.
func (d *dialect) refresh(w http.ResponseWriter, r *http.Request) error {
	raw, err := presentedRefresh(r)
	if _, ok := errors.AsType[fieldErrors](err); ok || errors.Is(err, wire.ErrMalformed) {
		return errBadRefresh
	}
	if err != nil {
		return err
	}
	if raw == "" {
		return errNoRefreshToken
	}
	v, err := d.renew(r, raw)
	if errors.Is(err, otp.ErrReused) {
		// Somebody has a token that isn't theirs: all of the person's sessions end.
		if err := d.Service.SignOutEverywhere(r.Context(), v.Session.Subject, d.LongestSession); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if d.lacksFactor(v.Session) { // it is demanded since: another login proves it
		if err := d.Service.SignOut(r.Context(), v.Session.ID, v.Session.Expires); err != nil {
			return err
		}
		return otp.ErrNoSession
	}
	return d.answerTokens(w, r, v)
}

// answerTokens answers with the tokens of a session that waits for nothing.
func (d *dialect) answerTokens(w http.ResponseWriter, r *http.Request, v otp.Verification) error {
	t, err := d.issue(r.Context(), v)
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, struct {
		tokens
		RequiresMFA bool `json:"requires_mfa"`
	}{tokens: t})
	return nil
}

// renew uses a refresh token up.
func (d *dialect) renew(r *http.Request, raw string) (otp.Verification, error) {
	id, secret, err := token.ParseRefresh(raw)
	if err != nil {
		return otp.Verification{}, err
	}
	return d.Service.Refresh(r.Context(), Name, id, secret)
}
