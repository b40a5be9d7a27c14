// SPDX-License-Identifier: Apache-2.0

package token

import (
	"strings"

	"github.com/caddy-otp/caddy-otp/otp"
)

// FormatRefresh makes the opaque refresh token of a session and its secret.
func FormatRefresh(id otp.SessionID, secret string) string {
	return string(id) + "." + secret
}

// ParseRefresh takes apart what [FormatRefresh] made, or returns
// [ErrInvalid]. Whether the secret is right only the store knows.
func ParseRefresh(raw string) (id otp.SessionID, secret string, err error) {
	session, secret, found := strings.Cut(raw, ".")
	id = otp.SessionID(session)
	if !found || !id.Valid() || len(secret) != 43 {
		return "", "", ErrInvalid
	}
	return id, secret, nil
}
