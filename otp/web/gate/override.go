// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"net/url"
)

// pathHeaders are those from which some frameworks take the path in place of
// the request's own, in any spelling that CGI servers take for theirs.
var pathHeaders = newNameSet("X-Original-Url", "X-Rewrite-Url")

// maxPathHeaders is how many of them are read. An honest request has one.
const maxPathHeaders = 8

// anyPath is one that is read in every way.
var anyPath = &url.URL{Opaque: "*"}

// need returns what a request needs: what its own path does, and what those do
// that an app behind may take for it. None of them makes anything public. A
// tunnel leads to any path.
func (g *Gate) need(r *http.Request) Need {
	if r.Method == http.MethodConnect && r.URL.Path == "" {
		return g.Rules.Need(anyPath)
	}
	need, seen := g.Rules.Need(r.URL), 0
	for name, values := range r.Header {
		if !pathHeaders.has(name) {
			continue
		}
		if seen += len(values); seen > maxPathHeaders {
			return need.and(g.Rules.Need(anyPath))
		}
		for _, value := range values {
			u, err := url.ParseRequestURI(value) // as the request's own is
			if err != nil {
				u = anyPath
			}
			need = need.and(g.Rules.Need(u))
		}
	}
	return need
}
