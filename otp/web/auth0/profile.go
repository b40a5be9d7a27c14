// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// subject is the person's sub: the connection and the id that a start answers
// with, or the directory's. One that has its connection already, as those of a
// tenant that was left have, is taken whole.
func (d *Dialect) subject(x otp.Session) string {
	id := x.Subject
	switch realm := d.Service.Realm(); {
	case id == otp.Subject(realm, x.Address):
		id = otp.SubjectHex(realm, x.Address)
	case strings.Contains(id, "|"):
		return id
	}
	return string(x.Address.Channel()) + "|" + id
}

// claimNames are all the claims of [Dialect.profile].
var claimNames = []string{
	"sub", "name", "nickname", "updated_at", "email", "email_verified", "phone_number", "phone_number_verified",
}

// profile returns the claims about the person that the session's scope
// covers. The address that opened the session is verified by that.
func (d *Dialect) profile(x otp.Session) map[string]any {
	granted := parseScopes(x.Scope)
	claims := map[string]any{"sub": d.subject(x)}
	address := x.Address.String()
	if granted.has(scopeProfile) {
		nickname, _, _ := strings.Cut(address, "@")
		claims["name"] = address
		claims["nickname"] = nickname
		claims["updated_at"] = x.Created.UTC().Format(time.RFC3339)
	}
	switch {
	case x.Address.Channel() == otp.Email && granted.has(scopeEmail):
		claims["email"] = address
		claims["email_verified"] = true
	case x.Address.Channel() == otp.SMS && granted.has(scopePhone):
		claims["phone_number"] = address
		claims["phone_number_verified"] = true
	}
	return claims
}
