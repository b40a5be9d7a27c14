// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// ClientType says what kind of application a client is.
type ClientType string

// The types. A regular web application authenticates with its secret; SPA and
// native ones have none, and a single-page application can't redeem codes.
const (
	Regular ClientType = "regular"
	SPA     ClientType = "spa"
	Native  ClientType = "native"
)

// Client is an application that may use the API.
type Client struct {
	// ID is what the application calls itself: client_id.
	ID string
	// Secret is what it proves that with. A client that has one must always
	// present it, whatever its type; a regular client without one is refused.
	Secret string
	// Type is the kind of application. Empty: regular with a secret, else
	// native.
	Type ClientType
	// Callbacks are the URLs that links may lead to, compared exactly. The
	// first is where a link leads that names none.
	Callbacks []string
	// Origins are the web origins whose pages may call the API.
	Origins []string
}

func (c Client) resolve() Client {
	switch {
	case c.Type != "":
	case c.Secret != "":
		c.Type = Regular
	default:
		c.Type = Native
	}
	return c
}

// mayUse reports whether the client may use a grant.
func (c Client) mayUse(grant string) bool {
	return grant != grantOTP || c.Type != SPA
}

// authenticate returns the client that a request names, if it proves to be
// that one. An unknown client, a wrong secret and a missing one are answered
// alike, and so is a secret or an assertion that the client can't have.
func (d *Dialect) authenticate(o wire.Object) (Client, error) {
	client, known := d.clients[o.Text("client_id")]
	secret, ok := o.String("client_secret")
	proven := equalSecrets(secret, client.Secret) && (ok || !o.Has("client_secret"))
	asserted := o.Has("client_assertion") || o.Has("client_assertion_type")
	unprovable := client.Type == Regular && client.Secret == ""
	if !known || !proven || asserted || unprovable {
		return Client{}, errInvalidClient
	}
	return client, nil
}

// equalSecrets takes the same time whatever the secrets and their lengths.
func equalSecrets(a, b string) bool {
	sumA, sumB := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(sumA[:], sumB[:]) == 1
}
