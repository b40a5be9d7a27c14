// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/http"
	"slices"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

var errDisabled = refuse(http.StatusNotFound, "endpoint_disabled", "This endpoint isn't available in this version.")

// disabledEndpoints are the documented ways to log in or out that this version
// doesn't have. They are refused here rather than left to the app, since what
// clients of ours send there, codes and addresses, is for neither the app nor
// its log. The first two are passwordless by name and so always ours; on the
// others, which an app with an OAuth server of its own has too, the client id
// decides.
func (d *Dialect) disabledEndpoints() []wire.Endpoint {
	const get, post = http.MethodGet, http.MethodPost
	refused := d.answer(func(http.ResponseWriter, *http.Request) error { return errDisabled })
	return []wire.Endpoint{
		{Method: post, Path: verifyPath, Serve: refused},
		{Method: get, Path: verifyRedirectPath, Serve: refused},
		{Method: post, Path: crossOriginPath, Owns: d.namesClient, Serve: refused},
		{Method: get, Path: authorizePath, Owns: d.namesClient, Serve: refused},
		{Method: get, Path: logoutPath, Owns: d.namesClient, Serve: refused},
	}
}

// namesClient reports whether a request names one of our clients in its query
// or its body. Any client_id of several counts: which of them a server behind
// would take is unknown.
func (d *Dialect) namesClient(r *http.Request) bool {
	return slices.ContainsFunc(r.URL.Query()["client_id"], d.hasClient) || d.ownsClient(r)
}
