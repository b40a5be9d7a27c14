// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"slices"

	"github.com/caddy-otp/caddy-otp/otp/jwks"
)

// ClientType says what kind of application a client is.
type ClientType string

// The types. A regular web application proves who it is; SPA and native ones
// can't, and a single-page application can't redeem codes.
const (
	Regular ClientType = "regular"
	SPA     ClientType = "spa"
	Native  ClientType = "native"
)

// Algorithm is what a client's ID tokens are signed with.
type Algorithm string

// The algorithms: the realm's own key, or the client's secret.
const (
	RS256 Algorithm = "RS256"
	HS256 Algorithm = "HS256"
)

// Grant is a way for a client to get tokens.
type Grant string

// The grants: a code of a message, a refresh token, an authorization code, and
// tokens in the URL that a browser comes back to.
const (
	GrantOTP      Grant = "otp"
	GrantRefresh  Grant = "refresh"
	GrantCode     Grant = "code"
	GrantImplicit Grant = "implicit"
)

// Grants are all of them.
var Grants = []Grant{GrantOTP, GrantRefresh, GrantCode, GrantImplicit}

// Client is an application that may use the API.
type Client struct {
	// ID is what the application calls itself: client_id.
	ID string
	// Secret is what it proves that with. A client that has one must always
	// present it, whatever its type.
	Secret string
	// Keys verify the assertions that it proves that with instead.
	Keys jwks.Keys
	// Algorithm is its ID tokens'. Empty: RS256. HS256 needs a secret.
	Algorithm Algorithm
	// Type is the kind of application. Empty: regular with a secret or keys,
	// else native. A regular client with neither is refused.
	Type ClientType
	// Callbacks are the URLs that links and logins may lead to, compared
	// exactly. The first is where a link leads that names none.
	Callbacks []string
	// LogoutURLs are the URLs that a logout may lead to, compared exactly.
	LogoutURLs []string
	// Origins are the web origins whose pages may call the API.
	Origins []string
	// Audiences are the APIs that it may ask access tokens for, besides this
	// site.
	Audiences []string
	// Grants are what it may use. Empty: all, but for an SPA the codes of
	// messages.
	Grants []Grant
	// TrustForwardedFor takes the address of its user from it, which limits
	// then count, where it has proved who it is.
	TrustForwardedFor bool
}

func (c Client) resolve() Client {
	switch {
	case c.Type != "":
	case c.isConfidential():
		c.Type = Regular
	default:
		c.Type = Native
	}
	if c.Algorithm == "" {
		c.Algorithm = RS256
	}
	if len(c.Grants) == 0 {
		c.Grants = Grants
		if c.Type == SPA {
			c.Grants = []Grant{GrantRefresh, GrantCode, GrantImplicit}
		}
	}
	return c
}

// isConfidential reports whether the client has something to prove who it is.
func (c Client) isConfidential() bool { return c.Secret != "" || c.Keys != nil }

// mayUse reports whether the client may use a grant.
func (c Client) mayUse(grant Grant) bool { return slices.Contains(c.Grants, grant) }

// client returns the client of an id.
func (d *Dialect) client(id string) (Client, bool) {
	c, ok := d.clients[id]
	return c, ok
}
