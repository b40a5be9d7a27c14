// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"maps"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v4"

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

// metadata is OpenID Connect Discovery's (§3), with what RFC 8414 adds.
type metadata struct {
	Issuer                string                    `json:"issuer"`
	AuthorizationEndpoint string                    `json:"authorization_endpoint"`
	TokenEndpoint         string                    `json:"token_endpoint"`
	RevocationEndpoint    string                    `json:"revocation_endpoint"`
	UserinfoEndpoint      string                    `json:"userinfo_endpoint"`
	EndSessionEndpoint    string                    `json:"end_session_endpoint"`
	JWKSURI               string                    `json:"jwks_uri"`
	Scopes                []string                  `json:"scopes_supported"`
	ResponseTypes         []string                  `json:"response_types_supported"`
	ResponseModes         []string                  `json:"response_modes_supported"`
	GrantTypes            []string                  `json:"grant_types_supported"`
	ChallengeMethods      []string                  `json:"code_challenge_methods_supported"`
	SubjectTypes          []string                  `json:"subject_types_supported"`
	IDTokenAlgorithms     []Algorithm               `json:"id_token_signing_alg_values_supported"`
	TokenAuthMethods      []string                  `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgorithms   []jose.SignatureAlgorithm `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevokeAuthMethods     []string                  `json:"revocation_endpoint_auth_methods_supported"`
	RevokeAuthAlgorithms  []jose.SignatureAlgorithm `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	Claims                []string                  `json:"claims_supported"`
	RequestURI            bool                      `json:"request_uri_parameter_supported"` // true where it is left out
}

// serveDiscovery answers GET /.well-known/openid-configuration.
func (d *Dialect) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	site := d.Service.PublicURL().String()
	clientAuth := []string{"client_secret_post", "client_secret_basic", "private_key_jwt", "none"}
	wire.WriteJSON(w, http.StatusOK, metadata{
		Issuer:                d.Issuer.URL(),
		AuthorizationEndpoint: site + authorizePath,
		TokenEndpoint:         site + tokenPath,
		RevocationEndpoint:    site + revokePath,
		UserinfoEndpoint:      site + userinfoPath,
		EndSessionEndpoint:    site + logoutPath,
		JWKSURI:               site + jwksPath,
		Scopes:                scopes,
		ResponseTypes:         responseTypes,
		ResponseModes:         responseModes,
		GrantTypes:            grantTypes(),
		ChallengeMethods:      []string{"S256"},
		SubjectTypes:          []string{"public"},
		IDTokenAlgorithms:     d.idTokenAlgorithms(),
		TokenAuthMethods:      clientAuth,
		TokenAuthAlgorithms:   assertionAlgorithms,
		RevokeAuthMethods:     clientAuth,
		RevokeAuthAlgorithms:  assertionAlgorithms,
		Claims:                append([]string{"iss", "aud", "iat", "exp", "auth_time"}, claimNames...),
	})
}

// grantTypes are the names of all grants.
func grantTypes() []string {
	return append(slices.Sorted(maps.Keys(grants)), implicit)
}

// idTokenAlgorithms are those that the clients' ID tokens are signed with; RS256
// is among them in any case (OpenID Connect Discovery §3).
func (d *Dialect) idTokenAlgorithms() []Algorithm {
	for _, client := range d.clients {
		if client.Algorithm == HS256 {
			return []Algorithm{RS256, HS256}
		}
	}
	return []Algorithm{RS256}
}
