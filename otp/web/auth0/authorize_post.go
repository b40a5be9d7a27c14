// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// repeatAuthorize answers POST /authorize (OpenID Connect Core §3.1.2.1) by
// having the browser send the form by GET: a page of another site has posted it,
// and so the browser has left out the cookie that says who is signed in. It
// changes nothing and leads nowhere but to this site's /authorize, which judges
// the request.
func (d *Dialect) repeatAuthorize(w http.ResponseWriter, r *http.Request) error {
	form, err := wire.Parse(r, wire.Form)
	if err != nil {
		return d.refuseBrowser(w, r, err)
	}
	values := formValues(form)
	for name := range r.URL.Query() {
		if values.Has(name) { // as where a parameter is given twice in one of them
			return d.refuseBrowser(w, r, errTwice)
		}
		values[name] = r.URL.Query()[name]
	}
	redirect(w, r, authorizePath+"?"+values.Encode())
	return nil
}
