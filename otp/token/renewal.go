// SPDX-License-Identifier: Apache-2.0

package token

import (
	"errors"

	"github.com/go-jose/go-jose/v4"
)

// SignRenewal returns a refresh token for APIs whose refresh tokens are JWTs,
// with the claims; iss and iat are set here, and exp must be among them. Only
// the realm's own servers read it, so it is signed with HS256 by a key that they
// alone have: an RSA signature costs more than all the rest of a login.
func (i *Issuer) SignRenewal(claims map[string]any) (string, error) {
	key := i.renewals[0]
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(Renewal)).WithHeader("kid", key.ID)
	return i.signWith(jose.SigningKey{Algorithm: jose.HS256, Key: key.Key}, options, claims, i.now())
}

// ParseRenewal verifies a refresh token of this site and returns its claims. It
// returns [ErrInvalid] for anything else, and [ErrExpired] for one that is too
// old, together with its claims. Whether it was used before only the store
// knows.
func (i *Issuer) ParseRenewal(raw string) (map[string]any, error) {
	for _, key := range i.renewals {
		claims, err := i.ParseBySecret(key.Key, Renewal, raw)
		if !errors.Is(err, ErrInvalid) {
			return claims, err
		}
	}
	return nil, ErrInvalid
}
