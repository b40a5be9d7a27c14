// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// serveJWKS answers GET /.well-known/jwks.json. go-auth0 asks for it before
// anybody has logged in, so asking makes the realm's first key.
func (d *Dialect) serveJWKS(w http.ResponseWriter, r *http.Request) error {
	keys, err := d.Issuer.JWKS(r.Context())
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, keys)
	return nil
}

// metadata is OpenID Connect Discovery's, as far as there is something to
// discover.
type metadata struct {
	Issuer             string   `json:"issuer"`
	TokenEndpoint      string   `json:"token_endpoint"`
	RevocationEndpoint string   `json:"revocation_endpoint"`
	UserinfoEndpoint   string   `json:"userinfo_endpoint"`
	JWKSURI            string   `json:"jwks_uri"`
	Scopes             []string `json:"scopes_supported"`
	ResponseTypes      []string `json:"response_types_supported"`
	GrantTypes         []string `json:"grant_types_supported"`
	SubjectTypes       []string `json:"subject_types_supported"`
	IDTokenAlgorithms  []string `json:"id_token_signing_alg_values_supported"`
	TokenAuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	RevokeAuthMethods  []string `json:"revocation_endpoint_auth_methods_supported"`
	Claims             []string `json:"claims_supported"`
}

// serveDiscovery answers GET /.well-known/openid-configuration.
func (d *Dialect) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	site := d.Service.PublicURL().String()
	clientAuth := []string{"client_secret_post", "none"}
	wire.WriteJSON(w, http.StatusOK, metadata{
		Issuer:             d.Issuer.URL(),
		TokenEndpoint:      site + tokenPath,
		RevocationEndpoint: site + revokePath,
		UserinfoEndpoint:   site + userinfoPath,
		JWKSURI:            site + jwksPath,
		Scopes:             scopes,
		ResponseTypes:      []string{}, // required, and there is no authorization endpoint
		GrantTypes:         grants,
		SubjectTypes:       []string{"public"},
		IDTokenAlgorithms:  []string{"RS256"},
		TokenAuthMethods:   clientAuth,
		RevokeAuthMethods:  clientAuth,
		Claims:             append([]string{"iss", "aud", "iat", "exp"}, claimNames...),
	})
}
