// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"cmp"
	"net/http"
	"unicode/utf8"
)

// tenantHeader is where the API's own client names its tenant, on every
// request.
const tenantHeader = "X-Tenant-ID"

// maxTenant is the longest name of a tenant, in characters.
const maxTenant = 128

// tenantOf returns the tenant of a request, by its header or by the tenant_id
// of its body, which is empty where there is none. Where both name one it must
// be the same.
func tenantOf(r *http.Request, inBody string) (string, error) {
	named := r.Header.Get(tenantHeader)
	switch {
	case utf8.RuneCountInString(named) > maxTenant:
		return "", fieldErrors{{tenantHeader, "range", named}}
	case named != "" && inBody != "" && named != inBody:
		return "", fieldErrors{{"tenant_id", "mismatch", inBody}}
	}
	return cmp.Or(named, inBody), nil
}
