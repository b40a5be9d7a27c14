// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// authParams is what a start says of how its link ends. The link carries it,
// sealed, so that nobody else can change it.
type authParams struct {
	RedirectURI  string `json:"redirect_uri,omitempty"`
	State        string `json:"state,omitempty"`
	Scope        string `json:"scope,omitempty"`
	Audience     string `json:"audience,omitempty"`
	ResponseType string `json:"response_type,omitempty"`
	Nonce        string `json:"nonce,omitempty"`
	ResponseMode string `json:"response_mode,omitempty"`

	CodeChallenge       string `json:"code_challenge,omitempty"`
	CodeChallengeMethod string `json:"code_challenge_method,omitempty"`
}

// paramField is one of the parameters.
type paramField struct {
	name string
	text *string
}

// fields are all of them, by the names that requests give them.
func (p *authParams) fields() []paramField {
	return []paramField{
		{"redirect_uri", &p.RedirectURI},
		{"state", &p.State},
		{"scope", &p.Scope},
		{"response_type", &p.ResponseType},
		{"nonce", &p.Nonce},
		{"response_mode", &p.ResponseMode},
		{"audience", &p.Audience},
		{"code_challenge", &p.CodeChallenge},
		{"code_challenge_method", &p.CodeChallengeMethod},
	}
}

// query are the parameters as a browser's address has them.
func (p *authParams) query() url.Values {
	values := make(url.Values)
	for _, field := range p.fields() {
		if *field.text != "" {
			values.Set(field.name, *field.text)
		}
	}
	return values
}

// read takes the parameters from a browser's address.
func (p *authParams) read(values url.Values) {
	for _, field := range p.fields() {
		*field.text = values.Get(field.name)
	}
}

// maxLinkPayload bounds what a link carries, in bytes: mail programs break
// long links, and the page that redeems them takes no more than 8 KiB.
const maxLinkPayload = 2048

// decodeAuthParams returns what of a start's authParams is made use of, as
// the link carries it; clients put more in there. Whether redirect_uri is
// registered is judged when the link is used: a start has no documented error
// for it.
func decodeAuthParams(o wire.Object) (payload []byte, err error) {
	given, ok := o.Object("authParams")
	if o.Has("authParams") && !ok {
		return nil, badRequest("bad.authParams", wrongType("authParams", o["authParams"], "object"))
	}
	var p authParams
	for _, field := range p.fields() {
		text, ok := given.String(field.name)
		if given.Has(field.name) && !ok {
			return nil, badRequest("bad.authParams", wrongType("authParams."+field.name, given[field.name], "string"))
		}
		*field.text = text
	}
	if payload, err = json.Marshal(p); err != nil {
		return nil, err
	}
	if len(payload) > maxLinkPayload {
		return nil, badRequest("bad.authParams", "error in authParams - too long")
	}
	return payload, nil
}

// asksFor reports whether a response type is among those asked for.
func (p authParams) asksFor(responseType string) bool {
	return slices.Contains(strings.Fields(p.ResponseType), responseType)
}
