// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// maxAccept is the longest Accept header that is looked at, in bytes.
const maxAccept = 1 << 10

// wantsHTML reports whether a request would rather have a page than JSON: its
// Accept header (RFC 9110 §12.5.1) names text/html, and JSON not before it.
// Who accepts anything is a program.
func wantsHTML(r *http.Request) bool {
	accept := strings.Join(r.Header["Accept"], ",")
	if len(accept) > maxAccept {
		return false
	}
	var html, json float64
	for item := range strings.SplitSeq(accept, ",") {
		mediaType, parameters, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		quality := 1.0
		if q, stated := parameters["q"]; stated {
			if quality, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		switch mediaType {
		case "text/html", "application/xhtml+xml":
			html = max(html, quality)
		case "application/json", "application/problem+json":
			json = max(json, quality)
		}
	}
	return html > 0 && html >= json
}
