// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// hintParameter is an ID token by which a logout names its client: most OpenID
// Connect libraries send it instead of a client_id (RP-Initiated Logout §2).
const hintParameter = "id_token_hint"

var errHint = badRequest("invalid_request", "The id_token_hint is another client's.")

// hinted returns the client that an ID token of the site was given to. It may
// have expired: people sign out later than that. known is false for anything
// else; the error is that the realm's key can't be loaded.
func (d *Dialect) hinted(ctx context.Context, raw string) (client Client, known bool, err error) {
	if raw == "" {
		return Client{}, false, nil
	}
	claims, err := d.Issuer.Parse(ctx, token.ID, raw)
	switch {
	case err == nil, errors.Is(err, token.ErrExpired):
		id, _ := claims["aud"].(string)
		client, known = d.client(id)
		return client, known, nil
	case !errors.Is(err, token.ErrInvalid):
		return Client{}, false, err
	}
	for _, client := range d.clients { // two may have one secret
		if client.Algorithm != HS256 {
			continue
		}
		claims, err := d.Issuer.ParseBySecret([]byte(client.Secret), token.ID, raw)
		if (err == nil || errors.Is(err, token.ErrExpired)) && claims["aud"] == client.ID {
			return client, true, nil
		}
	}
	return Client{}, false, nil
}

// ownsLogout reports whether a request names one of our clients, by itself or
// by an ID token.
func (d *Dialect) ownsLogout(r *http.Request) bool {
	if d.namesClient(r) {
		return true
	}
	raw := r.URL.Query().Get(hintParameter)
	if r.Method == http.MethodPost {
		form, err := wire.Parse(r, wire.Form)
		if err != nil {
			return false
		}
		raw = form.Text(hintParameter)
	}
	_, known, _ := d.hinted(r.Context(), raw)
	return known
}
