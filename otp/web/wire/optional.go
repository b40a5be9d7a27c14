// SPDX-License-Identifier: Apache-2.0

package wire

import "net/http"

// ParseOptional is [Parse] for endpoints whose body may be left out: an empty
// one, whatever its content type, is an empty object.
func ParseOptional(r *http.Request, accepts Accepts) (Object, error) {
	body, err := Body(r)
	if err != nil || len(body) == 0 {
		return nil, err
	}
	return Parse(r, accepts)
}
