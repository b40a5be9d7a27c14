// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// Show returns what answers with a page of another API, in the look of these
// and under the site's name.
func Show(siteName string) func(http.ResponseWriter, wire.Page) {
	p := &portal{Config: Config{SiteName: siteName}}
	return func(w http.ResponseWriter, shown wire.Page) {
		page := p.page(&text.Words{Language: shown.Language}, messageKind, shown.Title)
		page.Text = shown.Text
		p.render(w, http.StatusOK, page)
	}
}
