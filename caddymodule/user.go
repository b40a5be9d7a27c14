// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
)

// userPrefix begins the placeholders of who makes a request.
const userPrefix = "http.auth.user."

// userPlaceholders are what can be asked of who makes a request. Access logs
// show the id, so it is no address, and PHP gets it as REMOTE_USER.
var userPlaceholders = map[string]gate.Fact{
	userPrefix + "id":      gate.Subject,
	userPrefix + "user":    gate.User,
	userPrefix + "email":   gate.Email,
	userPrefix + "phone":   gate.Phone,
	userPrefix + "groups":  gate.Groups,
	userPrefix + "subject": gate.Subject,
	userPrefix + "method":  gate.Method,
	userPrefix + "mfa":     gate.MFA,
}

// setUser tells Caddy who makes a request that passes; of nobody, nil, each
// placeholder is empty: Caddy passes on literally what it doesn't know. What a
// handler behind us sets, such as basic_auth, comes before ours.
func setUser(r *http.Request, x *otp.Session) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	switch {
	case !ok:
	case x == nil:
		repl.Map(nobody)
	default:
		repl.DeleteByPrefix(userPrefix) // of who was known before us: no request is two people's
		repl.Map(somebody(x))
	}
}

func somebody(x *otp.Session) caddy.ReplacerFunc {
	return func(key string) (any, bool) {
		fact, known := userPlaceholders[key]
		return fact.Of(x), known
	}
}

func nobody(key string) (any, bool) {
	_, known := userPlaceholders[key]
	return "", known
}
