// SPDX-License-Identifier: Apache-2.0

package wire

import "net/http"

// API is a dialect as a site serves it.
type API struct {
	// Name is the dialect's: nestauth, autional, auth0 or portal.
	Name string
	// Exclusive makes all of the dialect's paths ours; otherwise requests on
	// shared paths are the app's unless they carry something of ours.
	Exclusive bool
	// Origins are the foreign web origins (scheme, host and port) whose pages
	// may call the API.
	Origins []string
	// Endpoints are the dialect's paths.
	Endpoints []Endpoint
	// Fail answers a request with the dialect's documented error for err: one
	// of this package's, of package otp's, or any other (an internal error).
	Fail func(w http.ResponseWriter, r *http.Request, err error)
}

// Endpoint is one method on one path of a dialect.
type Endpoint struct {
	Method string
	// Path is matched exactly. Its last segment may be a name in braces, as in
	// /sessions/{id}: that stands for any one segment that is no endpoint's
	// path, and Serve gets it by [http.Request.PathValue].
	Path string
	// Owns reports whether a request on a path shared with the app carries
	// something of ours: a token, a code's provider, a client id that this
	// realm issued or configured. nil: the endpoint is always ours. It may
	// read the body through [Body].
	Owns func(r *http.Request) bool
	// Documented makes other methods on the path a 405; without it they are
	// the app's.
	Documented bool
	// AnyOrigin lets the pages of every site send a request that others than GET
	// are for: one that changes nothing, and that they could send by a link too.
	AnyOrigin bool
	// Serve answers.
	Serve http.HandlerFunc
}
