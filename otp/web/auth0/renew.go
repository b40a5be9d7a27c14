// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"context"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
)

// renew redeems a refresh token for the session that it belongs to and the
// next one. A token that is somebody else's has leaked: the session behind it
// is ended. So is one without a second factor that the site has demanded since,
// or that another site of the realm opened, which demands none. Its errors are those of [otp.Service.Refresh].
func (d *Dialect) renew(ctx context.Context, client Client, raw string) (otp.Verification, error) {
	id, secret, err := token.ParseRefresh(raw)
	if err != nil {
		return otp.Verification{}, otp.ErrNoSession
	}
	v, err := d.Service.Refresh(ctx, Name, id, secret)
	if err != nil {
		return otp.Verification{}, err
	}
	lacksFactor := v.Session.MFA.IsZero() && d.Service.DemandsFactor(v.Session)
	if v.Session.Client != client.ID || lacksFactor {
		if err := d.Service.SignOut(ctx, v.Session.ID, v.Session.Expires); err != nil {
			return otp.Verification{}, err
		}
		return otp.Verification{}, otp.ErrNoSession
	}
	return v, nil
}
