// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// mfa answers every path of the second factor as where it is off: what the
// body says makes no difference then, but who sends it does.
func (d *dialect) mfa(_ http.ResponseWriter, r *http.Request) error {
	if _, err := wire.Body(r); err != nil {
		return err
	}
	if _, err := d.authenticate(r); err != nil {
		return err
	}
	return errMFAOff
}
