// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/url"
	"slices"
	"strings"
)

// authorization is what a sign-in in the browser ends with: what goes to a
// client, and how (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1, §3.3.2.1).
type authorization struct {
	authParams
	client Client
	// target is where it goes: one of the client's callbacks, or nil where the
	// client has none and named none.
	target *url.URL
	// named is set where the request said so itself.
	named bool
	// audience is whom its tokens are for, as sessions have it; it is known once
	// the request is checked.
	audience string
	// errorsInFragment has errors go there where the request says nothing else.
	errorsInFragment bool
}

// The response types (OAuth 2.0 Multiple Response Type Encoding Practices).
const (
	responseCode  = "code"
	responseToken = "token"
	responseID    = "id_token"
)

// responseTypes are those that can be asked for; the order within one has no
// meaning.
var responseTypes = []string{
	"code", "token", "id_token", "id_token token", "code id_token", "code token", "code id_token token",
}

// The response modes.
const (
	modeQuery      = "query"
	modeFragment   = "fragment"
	modeFormPost   = "form_post"
	modeWebMessage = "web_message"
)

var responseModes = []string{modeQuery, modeFragment, modeFormPost, modeWebMessage}

var errCallback = badRequest("invalid_request", "Callback URL mismatch: redirect_uri isn't one of the client's callbacks.")

// authorizationOf returns what a client asks for. The error is for nobody but
// the person and the log: nothing may be sent to an address that isn't exactly
// one of the client's callbacks.
func authorizationOf(client Client, p authParams) (authorization, error) {
	a := authorization{authParams: p, client: client, named: p.RedirectURI != ""}
	if !a.named && len(client.Callbacks) > 0 {
		a.RedirectURI = client.Callbacks[0]
	}
	if a.RedirectURI == "" {
		return a, nil
	}
	if !slices.Contains(client.Callbacks, a.RedirectURI) {
		return a, errCallback
	}
	target, err := url.Parse(a.RedirectURI)
	if err != nil {
		return a, errCallback
	}
	a.target = target
	return a, nil
}

// check returns what is wrong with the rest of the request; the client is told.
func (a *authorization) check(d *Dialect) (err error) {
	asked := strings.Fields(a.ResponseType)
	slices.Sort(asked)
	if len(asked) > 0 && !slices.Contains(responseTypes, strings.Join(asked, " ")) {
		return badRequest("unsupported_response_type", "Unsupported response type: "+a.ResponseType)
	}
	switch {
	case a.ResponseMode == "":
	case !slices.Contains(responseModes, a.ResponseMode):
		return badRequest("invalid_request", "Unsupported response_mode: "+a.ResponseMode)
	case a.ResponseMode == modeQuery && a.yieldsTokens():
		return badRequest("invalid_request", "response_mode query isn't for tokens") // they would be in logs
	case a.needsWeb() && !a.isWeb():
		return badRequest("invalid_request", "response_mode "+a.ResponseMode+" needs a callback on the web")
	}
	if a.yieldsTokens() && !a.isWeb() && a.target != nil {
		// Another app may have claimed the scheme, and no code verifier keeps a
		// token from it (RFC 8252 §8.1, §8.2).
		return badRequest("unsupported_response_type", "The callback of an app gets a code alone: response_type must be code")
	}
	if a.audience, err = d.audienceFor(a.client, a.Audience); err != nil {
		return err
	}
	switch {
	case a.yieldsTokens() && !a.client.mayUse(GrantImplicit):
		return grantNotAllowed(implicit)
	case !a.asksFor(responseCode):
		return nil
	case !a.client.mayUse(GrantCode):
		return grantNotAllowed(grantCode)
	}
	return a.checkChallenge()
}

// yieldsTokens reports whether tokens themselves are asked for, not only a code
// for them.
func (a authorization) yieldsTokens() bool {
	return a.asksFor(responseToken) || a.asksFor(responseID)
}

// mode is how the answer goes to the client; what is wrong with the mode itself
// goes as if none were asked for.
func (a authorization) mode() string {
	switch {
	case a.needsWeb() && !a.isWeb(): // it is told so as it can be
	case slices.Contains(responseModes, a.ResponseMode):
		return a.ResponseMode
	}
	if a.yieldsTokens() {
		return modeFragment
	}
	return modeQuery
}

// needsWeb reports whether the answer goes by way of a page, which posts it.
func (a authorization) needsWeb() bool {
	return a.ResponseMode == modeFormPost || a.ResponseMode == modeWebMessage
}

// isWeb reports whether the target is on the web, and not of an app that the
// browser's device has.
func (a authorization) isWeb() bool {
	return a.target != nil && (a.target.Scheme == "https" || a.target.Scheme == "http")
}

// origin is that of the target, to which alone a message is posted.
func (a authorization) origin() string { return a.target.Scheme + "://" + a.target.Host }
