// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"net/http"
	"strings"
)

// SoleCookie returns the value of the one cookie of a name, as it was sent.
// Two of a name are an attempt to plant one, whatever they hold: neither is
// taken.
func SoleCookie(r *http.Request, name string) (value string, ok bool) {
	found := 0
	for _, header := range r.Header["Cookie"] {
		for part := range strings.SplitSeq(header, ";") {
			part = strings.TrimLeft(part, " \t")
			if len(part) > len(name) && part[len(name)] == '=' && part[:len(name)] == name {
				value = part[len(name)+1:]
				found++
			}
		}
	}
	if found != 1 {
		return "", false
	}
	return value, true
}
