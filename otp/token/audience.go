// SPDX-License-Identifier: Apache-2.0

package token

import (
	"context"
	"slices"

	"github.com/caddy-otp/caddy-otp/otp"
)

// AuthenticateFor is [Issuer.Authenticate] for what opens to the tokens of
// certain audiences alone, each compared exactly. A token for none of them is
// [ErrInvalid].
func (i *Issuer) AuthenticateFor(ctx context.Context, raw string, audiences ...string) (otp.Session, error) {
	x, err := i.parseFor(ctx, raw, func(audience string) bool { return slices.Contains(audiences, audience) })
	if err != nil {
		return otp.Session{}, err
	}
	return i.service.Current(ctx, *x)
}

// parseFor is [Issuer.ParseAccess] for tokens with an audience that is taken,
// and that haven't expired. Others are [ErrInvalid] (RFC 7519 §4.1.3).
func (i *Issuer) parseFor(ctx context.Context, raw string, takes func(audience string) bool) (*otp.Session, error) {
	t, err := i.parseAccess(ctx, raw)
	switch {
	case err != nil:
		return nil, err
	case !isFor(t.audience, takes):
		return nil, ErrInvalid
	}
	return &t.session, nil
}

// serves reports whether a token for an audience opens the site: it names one
// of the realm's sites, whose sessions are shared, or an API that this one
// serves. What is for an API that only another site serves doesn't.
func (i *Issuer) serves(audience string) bool {
	return slices.Contains(i.apis, audience) || i.sites.areMeant(audience)
}

// isFor reports whether an aud claim, a text or a list of them, has an audience
// that is taken.
func isFor(aud any, takes func(audience string) bool) bool {
	switch aud := aud.(type) {
	case string:
		return takes(aud)
	case []any:
		return slices.ContainsFunc(aud, func(element any) bool {
			audience, ok := element.(string)
			return ok && takes(audience)
		})
	}
	return false
}
