// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
)

// FinishLink answers the request with which one of this dialect's links was
// redeemed and signed the browser in: it sends the browser to the redirect_uri
// of the start's authParams, or to the client's first callback, or, where it has
// none, to the site's root. State comes back with it, and what response_type
// asks for. A redirect_uri that isn't exactly one of the client's callbacks gets
// an error page.
func (d *Dialect) FinishLink(w http.ResponseWriter, r *http.Request, l otp.Link, v otp.Verification) {
	a, err := d.linkAuthorization(l)
	if err != nil {
		d.Logger.Warn("link leads nowhere", slog.String("api", Name), slog.String("client", l.Client), slog.Any("error", err))
		d.Pages.RefuseClient(w, r, refusalFor("", err).Description)
		return
	}
	if err := a.check(d); err != nil {
		d.refuseClient(w, r, a, err)
		return
	}
	d.finish(w, r, a, v.Session)
}

func (d *Dialect) linkAuthorization(l otp.Link) (authorization, error) {
	client, ok := d.client(l.Client)
	if l.Dialect != Name || !ok {
		return authorization{}, badRequest("invalid_request", "The link's client isn't configured.")
	}
	var params authParams
	if err := json.Unmarshal(l.Payload, &params); err != nil {
		return authorization{}, err
	}
	a, err := authorizationOf(client, params)
	a.errorsInFragment = true
	return a, err
}
