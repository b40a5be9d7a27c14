// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/http"
	"slices"

	"github.com/caddy-otp/caddy-otp/otp"
)

// audienceFor returns whom a client's access tokens are for, as it is kept in
// the session: the API that it asks for, or else the default one; empty: this
// site. One that isn't configured for the client is refused.
func (d *Dialect) audienceFor(client Client, asked string) (string, error) {
	switch {
	case asked == "":
		return d.DefaultAudience, nil
	case asked == d.Issuer.URL() || asked == d.userinfoURL():
		return "", nil
	case slices.Contains(client.Audiences, asked), asked == d.DefaultAudience:
		return asked, nil
	}
	return "", refuse(http.StatusForbidden, "access_denied", "Service not found: "+asked)
}

func (d *Dialect) userinfoURL() string { return d.Service.PublicURL().String() + userinfoPath }

// audiences are the aud of a session's access tokens: its API or this site,
// and with openid what answers /userinfo.
func (d *Dialect) audiences(x otp.Session) any {
	first := x.Audience
	if first == "" {
		first = d.Issuer.URL()
	}
	if parseScopes(x.Scope).has(scopeOpenID) {
		return []string{first, d.userinfoURL()}
	}
	return first
}
