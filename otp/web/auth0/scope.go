// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"slices"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// The scopes (OpenID Connect Core §5.4, §11).
const (
	scopeOpenID  = "openid"
	scopeProfile = "profile"
	scopeEmail   = "email"
	scopePhone   = "phone"
	scopeOffline = "offline_access"
)

var scopes = []string{scopeOpenID, scopeProfile, scopeEmail, scopePhone, scopeOffline}

// scopeSet is granted scopes, each once, in the order asked for.
type scopeSet []string

// grantScopes returns those of the scopes asked for that exist: nil where none
// are asked for, which is not the same as none that exist. What no API
// defines is left out without an error, as Auth0 does: an app that trusts the
// scope of a token must not find in it whatever a client cared to ask for.
func grantScopes(asked []string) scopeSet {
	if len(asked) == 0 {
		return nil
	}
	granted := scopeSet{}
	for _, scope := range asked {
		if slices.Contains(scopes, scope) && !granted.has(scope) {
			granted = append(granted, scope)
		}
	}
	return granted
}

func parseScopes(text string) scopeSet { return grantScopes(strings.Fields(text)) }

func (s scopeSet) has(scope string) bool { return slices.Contains(s, scope) }

func (s scopeSet) String() string { return strings.Join(s, " ") }

// within returns those of the scopes that are in another set too.
func (s scopeSet) within(other scopeSet) scopeSet {
	var both scopeSet
	for _, scope := range s {
		if other.has(scope) {
			both = append(both, scope)
		}
	}
	return both
}

// without returns the set less one scope.
func (s scopeSet) without(scope string) scopeSet {
	return slices.DeleteFunc(slices.Clone(s), func(other string) bool { return other == scope })
}

var errScopeType = badRequest("invalid_scope", "Scope must be an array or a string")

// decodeScope reads the scope of a token request: text, or an array of texts.
func decodeScope(o wire.Object) (scopeSet, error) {
	switch value := o["scope"].(type) {
	case nil:
		return nil, nil
	case string:
		return parseScopes(value), nil
	case []any:
		asked := make([]string, 0, len(value))
		for _, element := range value {
			scope, ok := element.(string)
			if !ok {
				return nil, errScopeType
			}
			asked = append(asked, scope)
		}
		return grantScopes(asked), nil
	}
	return nil, errScopeType
}
