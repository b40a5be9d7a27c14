// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
)

// tokenAnswer is the answer of a grant.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	IDToken      string `json:"id_token,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
	ExpiresIn    int64  `json:"expires_in"`
	TokenType    string `json:"token_type"`
}

const tokenType = "Bearer"

// lacksFactor reports whether a second factor is demanded that a session
// hasn't proved: of its person by the directory, or of the session wherever it
// is used. Another site of the realm, or this one before, may have opened it
// without.
func (d *Dialect) lacksFactor(x otp.Session) bool {
	return x.MFA.IsZero() && (x.Person.MFA || d.Service.DemandsFactor(x))
}

// issueUnlessDue is issue for a session that lacks no second factor. One that
// does is ended, with [otp.ErrPending]: there is no way to prove it here, and no
// gate sees what an application makes of an ID token.
func (d *Dialect) issueUnlessDue(ctx context.Context, v otp.Verification) (tokenAnswer, error) {
	if d.lacksFactor(v.Session) {
		if err := d.Service.SignOut(ctx, v.Session.ID, v.Session.Expires); err != nil {
			return tokenAnswer{}, err
		}
		return tokenAnswer{}, otp.ErrPending
	}
	return d.issue(ctx, v)
}

// issue makes the tokens of a session, as its scope has it.
func (d *Dialect) issue(ctx context.Context, v otp.Verification) (tokenAnswer, error) {
	return d.issueWith(ctx, v, nil)
}

// issueWith is issue with further claims in the ID token.
func (d *Dialect) issueWith(ctx context.Context, v otp.Verification, further map[string]any) (tokenAnswer, error) {
	access, err := d.accessToken(ctx, v.Session)
	if err != nil {
		return tokenAnswer{}, err
	}
	answer := tokenAnswer{
		AccessToken: access,
		Scope:       v.Session.Scope,
		ExpiresIn:   d.expiresIn(v.Session),
		TokenType:   tokenType,
	}
	if v.Refresh != "" {
		answer.RefreshToken = token.FormatRefresh(v.Session.ID, v.Refresh)
	}
	if parseScopes(v.Session.Scope).has(scopeOpenID) {
		answer.IDToken, err = d.idToken(ctx, v.Session, further)
	}
	return answer, err
}

// accessToken signs an access token with the claims of RFC 9068 §2.2 and
// Auth0's azp.
func (d *Dialect) accessToken(ctx context.Context, x otp.Session) (string, error) {
	return d.Issuer.SignAccess(ctx, x, d.AccessLifetime, map[string]any{
		"aud":       d.audiences(x),
		"sub":       d.subject(x),
		"azp":       x.Client,
		"client_id": x.Client,
		"jti":       rand.Text(),
		"scope":     x.Scope,
	})
}

// idToken signs an ID token (OpenID Connect Core §2) with further claims. It
// has no nonce unless that is among them: the SDKs refuse one that they
// didn't ask for. The client's algorithm decides about the key.
func (d *Dialect) idToken(ctx context.Context, x otp.Session, further map[string]any) (string, error) {
	claims := d.profile(x)
	claims["aud"] = x.Client
	claims["exp"] = d.Issuer.Now().Unix() + d.expiresIn(x)
	for name, value := range further {
		claims[name] = value
	}
	if client, _ := d.client(x.Client); client.Algorithm == HS256 {
		return d.Issuer.SignBySecret([]byte(client.Secret), token.ID, claims)
	}
	return d.Issuer.Sign(ctx, token.ID, claims)
}

// expiresIn is how long tokens made now live, in seconds. No token outlives
// its session. The store's clock began the session and this node's asks: the
// fraction of a second between them is rounded away.
func (d *Dialect) expiresIn(x otp.Session) int64 {
	left := x.Expires.Sub(d.Issuer.Now()).Round(time.Second)
	return int64(min(left, d.AccessLifetime) / time.Second)
}
