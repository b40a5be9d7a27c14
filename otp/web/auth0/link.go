// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp"
)

// FinishLink answers the request with which one of this dialect's links was
// redeemed: it sends the browser to the redirect_uri of the start's
// authParams, or to the client's first callback, or, where it has none, to
// the site's root. State comes back with it, and as response_type asks, the
// access token and the ID token, in the URL's fragment. A redirect_uri that
// isn't exactly one of the client's callbacks gets an error page.
func (d *Dialect) FinishLink(w http.ResponseWriter, r *http.Request, l otp.Link, v otp.Verification) {
	target, params, err := d.linkTarget(l)
	if err != nil {
		d.Logger.Warn("link leads nowhere", slog.String("api", Name), slog.String("client", l.Client), slog.Any("error", err))
		http.Error(w, "This link can't be followed: the application has asked to continue at an address that isn't registered for it.", http.StatusBadRequest)
		return
	}
	if target == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	w.Header().Set("Location", d.linkLocation(r.Context(), *target, params, v.Session))
	w.WriteHeader(http.StatusSeeOther)
}

// linkTarget returns where a link leads, nil for the site's root.
func (d *Dialect) linkTarget(l otp.Link) (*url.URL, authParams, error) {
	var params authParams
	client, ok := d.clients[l.Client]
	if l.Dialect != Name || !ok {
		return nil, params, errors.New("its client isn't configured")
	}
	if err := json.Unmarshal(l.Payload, &params); err != nil {
		return nil, params, err
	}
	if params.RedirectURI == "" && len(client.Callbacks) > 0 {
		params.RedirectURI = client.Callbacks[0]
	}
	if params.RedirectURI == "" {
		return nil, params, nil
	}
	if !slices.Contains(client.Callbacks, params.RedirectURI) {
		return nil, params, errors.New("redirect_uri isn't one of the client's callbacks")
	}
	target, err := url.Parse(params.RedirectURI)
	if err != nil {
		return nil, params, errors.New("callback can't be parsed")
	}
	return target, params, nil
}

// linkLocation adds to the target what comes back with it (OpenID Connect
// Core §3.2.2.5, §3.2.2.6): state alone in the query, all else in the
// fragment.
func (d *Dialect) linkLocation(ctx context.Context, target url.URL, p authParams, x otp.Session) string {
	if !p.asksFor("token") && !p.asksFor("id_token") {
		if p.State != "" {
			query := target.Query()
			query.Set("state", p.State)
			target.RawQuery = query.Encode()
		}
		return target.String()
	}
	// A fragment is no place for a token that lives on.
	x.Scope = parseScopes(p.Scope).without(scopeOffline).String()
	client, _ := d.client(x.Client)
	var values url.Values
	var err error
	x.Audience, err = d.audienceFor(client, p.Audience)
	switch {
	case err != nil:
	case !client.mayUse(GrantImplicit):
		err = grantNotAllowed(implicit)
	case d.lacksFactor(x):
		err = otp.ErrPending // the gate asks for it; the application has to come back
	default:
		values, err = d.linkTokens(ctx, p, x)
	}
	if err != nil {
		d.Logger.Warn("link got no tokens", slog.String("api", Name), slog.Any("error", err))
		answer := refusalFor("", err)
		values = url.Values{"error": {answer.Code}, "error_description": {answer.Description}}
	}
	if p.State != "" {
		values.Set("state", p.State)
	}
	return target.String() + "#" + strings.ReplaceAll(values.Encode(), "+", "%20")
}

func (d *Dialect) linkTokens(ctx context.Context, p authParams, x otp.Session) (url.Values, error) {
	values := make(url.Values)
	claims := make(map[string]any)
	if p.Nonce != "" {
		claims["nonce"] = p.Nonce
	}
	if p.asksFor("token") {
		access, err := d.accessToken(ctx, x)
		if err != nil {
			return nil, err
		}
		claims["at_hash"] = accessTokenHash(access)
		values.Set("access_token", access)
		values.Set("token_type", tokenType)
		values.Set("expires_in", strconv.FormatInt(d.expiresIn(x), 10))
		values.Set("scope", x.Scope)
	}
	if p.asksFor("id_token") && parseScopes(x.Scope).has(scopeOpenID) {
		id, err := d.idToken(ctx, x, claims)
		if err != nil {
			return nil, err
		}
		values.Set("id_token", id)
	}
	return values, nil
}

// accessTokenHash binds an ID token to the access token beside it (OpenID
// Connect Core §3.2.2.9).
func accessTokenHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
