// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"net/http"
	"slices"
	"strings"
)

// crossOriginHeaders are the request headers that the dialects' browser
// clients send; anything else isn't needed and isn't allowed.
const crossOriginHeaders = "Authorization, Content-Type, Auth0-Client, X-Request-Language, X-Access-Token-Type, X-Tenant-ID, X-Requested-With, Accept-Language, Traceparent, nest_auth_device_trust"

// crossOriginAnswers are the answer headers that clients may read.
const crossOriginAnswers = "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"

// preflightAge is how long a browser may remember a preflight, in seconds.
const preflightAge = "600"

// IsPreflight reports whether a request asks beforehand for a cross-origin
// one (Fetch standard, CORS-preflight request).
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != ""
}

// Preflight answers for an origin that may call the methods of a path.
func Preflight(w http.ResponseWriter, r *http.Request, methods []string) {
	h := w.Header()
	AllowOrigin(h, r)
	h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
	h.Set("Access-Control-Allow-Headers", crossOriginHeaders)
	h.Set("Access-Control-Max-Age", preflightAge)
	w.WriteHeader(http.StatusNoContent)
}

// AllowOrigin lets the request's origin, which must have been judged, read
// the answer.
func AllowOrigin(h http.Header, r *http.Request) {
	h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", crossOriginAnswers)
	h.Add("Vary", "Origin")
}

// Origin is where a request comes from, as its browser tells.
type Origin int

// The origins.
const (
	// NoBrowser: the request says nothing of an origin.
	NoBrowser Origin = iota
	// SameOrigin: a page of this site.
	SameOrigin
	// Allowed: a page of an origin that is configured.
	Allowed
	// Foreign: any other page, also one that hides its origin.
	Foreign
)

// JudgeOrigin tells where a request comes from. site is the site's own
// origin; allowed are those configured.
func JudgeOrigin(r *http.Request, site string, allowed []string) Origin {
	origin := r.Header.Get("Origin")
	fetchSite := r.Header.Get("Sec-Fetch-Site")
	switch {
	case fetchSite == "cross-site":
		if slices.Contains(allowed, origin) {
			return Allowed
		}
		return Foreign
	case fetchSite == "same-origin", fetchSite == "none":
		return SameOrigin
	case origin == site:
		return SameOrigin
	case slices.Contains(allowed, origin):
		return Allowed
	case origin == "" && fetchSite == "":
		return NoBrowser
	}
	return Foreign
}

func declaredCrossSite(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "cross-site"
}
