// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// codeLifetime is how long a client may take to redeem a code.
const codeLifetime = 2 * time.Minute

// codePayload is what a code carries of the request that it answers.
type codePayload struct {
	// Issuer is the site that gave it out: others of the realm may have a client
	// of the same name.
	Issuer string `json:"i"`
	// RedirectURI is where the code was sent to, and Named whether the request
	// said so: then the client must say it again.
	RedirectURI string `json:"r"`
	Named       bool   `json:"n,omitempty"`
	Challenge   string `json:"c,omitempty"`
	Scope       string `json:"s,omitempty"`
	Audience    string `json:"a,omitempty"`
	Nonce       string `json:"o,omitempty"`
	// AuthTime is when the person signed in, in Unix seconds.
	AuthTime int64 `json:"t"`
}

// yield returns what a client asked for of who is signed in by x: a code, an
// access token, an ID token, together where it asks so. The tokens' session is a
// new one, of the client's own.
func (d *Dialect) yield(r *http.Request, a authorization, x otp.Session) (url.Values, error) {
	ctx, values := r.Context(), make(url.Values)
	claims := map[string]any{"auth_time": x.Created.Unix()}
	if a.Nonce != "" {
		claims["nonce"] = a.Nonce
	}
	if a.asksFor(responseCode) {
		code, err := d.newCode(ctx, a, x)
		if err != nil {
			return nil, err
		}
		values.Set("code", code)
		claims["c_hash"] = halfHash(code)
	}
	if !a.yieldsTokens() {
		return values, nil
	}
	if err := d.Issuer.Prepare(ctx); err != nil {
		return nil, err
	}
	// What goes through a browser's address is no place for a token that lives on.
	v, err := d.Service.Derive(ctx, x, Name, a.client.ID, otp.Presented{
		Lifetime: d.AccessLifetime,
		Scope:    parseScopes(a.Scope).without(scopeOffline).String(),
		Audience: a.audience,
		Device:   wire.Device(r.UserAgent()),
	})
	if err != nil {
		return nil, err
	}
	return values, d.addTokens(ctx, values, a, v.Session, claims)
}

func (d *Dialect) newCode(ctx context.Context, a authorization, x otp.Session) (string, error) {
	payload, err := json.Marshal(codePayload{
		Issuer:      d.Issuer.URL(),
		RedirectURI: a.RedirectURI,
		Named:       a.named,
		Challenge:   a.CodeChallenge,
		Scope:       parseScopes(a.Scope).String(),
		Audience:    a.audience,
		Nonce:       a.Nonce,
		AuthTime:    x.Created.Unix(),
	})
	if err != nil {
		return "", err
	}
	return d.Service.Grant(ctx, x, otp.GrantRequest{
		Dialect:  Name,
		Client:   a.client.ID,
		Payload:  payload,
		Lifetime: codeLifetime,
	})
}

// addTokens adds the tokens of a session that are asked for (OpenID Connect Core
// §3.2.2.5, §3.3.2.5).
func (d *Dialect) addTokens(ctx context.Context, values url.Values, a authorization, x otp.Session, claims map[string]any) error {
	if a.asksFor(responseToken) {
		access, err := d.accessToken(ctx, x)
		if err != nil {
			return err
		}
		claims["at_hash"] = halfHash(access)
		values.Set("access_token", access)
		values.Set("token_type", tokenType)
		values.Set("expires_in", strconv.FormatInt(d.expiresIn(x), 10))
		values.Set("scope", x.Scope)
	}
	if a.asksFor(responseID) && parseScopes(x.Scope).has(scopeOpenID) {
		id, err := d.idToken(ctx, x, claims)
		if err != nil {
			return err
		}
		values.Set("id_token", id)
	}
	return nil
}

// halfHash binds an ID token to what comes beside it (OpenID Connect Core
// §3.2.2.9, §3.3.2.11).
func halfHash(beside string) string {
	sum := sha256.Sum256([]byte(beside))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
