// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/jwks"
)

// assertionType is the one kind of assertion that there is (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertionAlgorithms are those that clients may sign with.
var assertionAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.PS256, jose.ES256}

const (
	// maxAssertionLifetime is how far ahead an assertion may end.
	maxAssertionLifetime = 5 * time.Minute
	// assertionSkew is how far a client's clock may be ahead of ours.
	assertionSkew = 30 * time.Second
	// assertionsRemembered is how long a jti is: longer than its assertion can
	// be good for.
	assertionsRemembered = maxAssertionLifetime + 2*assertionSkew
	// maxAssertionID is the longest jti, in bytes.
	maxAssertionID = 255
)

// assertion is what a client says of itself.
type assertion struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	ID        string   `json:"jti"`
	Expires   *float64 `json:"exp"`
	NotBefore *float64 `json:"nbf"`
	IssuedAt  *float64 `json:"iat"`
}

// audience is one text, or several.
type audience []string

// UnmarshalJSON implements [json.Unmarshaler].
func (a *audience) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(a))
}

// verifyAssertion returns nil where a client's keys have signed an assertion
// that it is itself, to us, now, and for the first time (RFC 7523 §3);
// [errInvalidClient] where not; or an error of the keys or the store.
func (d *Dialect) verifyAssertion(ctx context.Context, client Client, raw string) error {
	payload, err := jwks.Verify(ctx, client.Keys, raw, assertionAlgorithms)
	switch {
	case errors.Is(err, jwks.ErrUnverified):
		return errInvalidClient
	case err != nil:
		return err
	}
	var a assertion
	if json.Unmarshal(payload, &a) != nil || !d.accepts(a, client) {
		return errInvalidClient
	}
	switch err := d.assertions.Claim(ctx, client.ID+"\x00"+a.ID); {
	case errors.Is(err, otp.ErrTaken):
		return errInvalidClient
	default:
		return err
	}
}

// accepts reports whether an assertion is by a client about itself, meant for
// this site, and good at this time.
func (d *Dialect) accepts(a assertion, client Client) bool {
	isOurs := func(aud string) bool {
		return aud == d.Issuer.URL() || aud == d.Service.PublicURL().String()+tokenPath
	}
	switch {
	case a.Issuer != client.ID || a.Subject != client.ID:
		return false
	case !slices.ContainsFunc(a.Audience, isOurs):
		return false
	case a.ID == "" || len(a.ID) > maxAssertionID || a.Expires == nil:
		return false
	}
	now := unixSeconds(d.Issuer.Now())
	skew := assertionSkew.Seconds()
	switch {
	case *a.Expires <= now || *a.Expires > now+maxAssertionLifetime.Seconds()+skew:
		return false
	case a.NotBefore != nil && *a.NotBefore > now+skew, a.IssuedAt != nil && *a.IssuedAt > now+skew:
		return false
	}
	return true
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
