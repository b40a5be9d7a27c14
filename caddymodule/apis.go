// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/auth0"
	"github.com/caddy-otp/caddy-otp/otp/web/autional"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/nestauth"
	"github.com/caddy-otp/caddy-otp/otp/web/portal"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// apiLines are the APIs to answer.
func (o *Options) apiLines() []API {
	if len(o.APIs) == 0 {
		return []API{{Name: "nestauth"}, {Name: "autional"}}
	}
	return o.APIs
}

// tokenCookies are those in which an API's browser clients keep their tokens.
func (o *Options) tokenCookies() []string {
	for _, api := range o.apiLines() {
		if api.Name == "nestauth" {
			return nestauth.TokenCookies
		}
	}
	return nil
}

// trustCookie is the one in which an API's browser clients keep that their
// device is trusted.
func (o *Options) trustCookie() string {
	if o.tokenCookies() == nil {
		return ""
	}
	return nestauth.TrustCookie
}

// newAPIs returns the pages, first, and the wire APIs that are on. home is the
// address of the pages where the realm signs in, or "".
func (h *Handler) newAPIs(service *otp.Service, issuer *token.Issuer, door *gate.Gate, path, home string, logger *slog.Logger) ([]wire.API, error) {
	var tokens Token
	if h.Token != nil {
		tokens = *h.Token
	}
	accessLifetime := time.Duration(tokens.Lifetime)
	refreshLifetime := cmp.Or(time.Duration(tokens.Refresh), defaultRefresh)

	var apis []wire.API
	finishLink := make(map[string]func(http.ResponseWriter, *http.Request, otp.Link, otp.Verification))
	pages := portal.NewPages(portal.Config{
		Gate:            door,
		Path:            path,
		SiteName:        service.PublicURL().Host,
		Code:            h.codePolicy(defaultCodeLifetime, defaultSMSLifetime, defaultAttempts, h.keep()),
		Send:            otp.Form(cmp.Or(h.Send, string(otp.FormBoth))),
		SessionLifetime: h.sessionLifetime(),
		LongestSession:  h.longestSession(),
		FinishLink:      finishLink,
		Home:            home,
		Logger:          logger,
	})
	for _, api := range h.apiLines() {
		base := wire.Dialect{
			Service:         service,
			Issuer:          issuer,
			Code:            h.codePolicy(defaultCodeLifetime, defaultSMSLifetime, defaultAttempts, 1),
			AccessLifetime:  cmp.Or(accessLifetime, defaultTokenLifetime),
			RefreshLifetime: refreshLifetime,
			LongestSession:  h.longestSession(),
			Exclusive:       api.Exclusive,
			Origins:         origins(api.Origins),
			KnownBrowser:    door.Browser.Known,
			Logger:          logger,
		}
		switch api.Name {
		case "nestauth":
			apis = append(apis, nestauth.New(nestauth.Config{
				Dialect:        base,
				SecureCookies:  service.PublicURL().Scheme == "https",
				SendNeedsToken: api.SendRequires != "",
			}))
		case "autional":
			config := autional.Config{
				Dialect:     base,
				PagesPath:   path,
				LinkPath:    portal.LinkPath(path),
				ShowPage:    portal.Show(service.PublicURL().Host),
				ServiceName: api.Service,
				Development: api.Development,
			}
			apis = append(apis, autional.New(config))
			finishLink["autional"] = autional.FinishLink(config)
		case "auth0":
			base.Code = h.auth0Code()
			base.AccessLifetime = cmp.Or(accessLifetime, auth0TokenLifetime)
			clients, err := auth0Clients(api.Clients, logger)
			if err != nil {
				return nil, fmt.Errorf("api auth0: %w", err)
			}
			dialect := auth0.New(auth0.Config{
				Dialect:         base,
				Clients:         clients,
				Connections:     channels(api.Connections),
				DefaultAudience: api.DefaultAudience,
				LinkPath:        portal.LinkPath(path),
				Pages:           pages,
				SessionLifetime: h.sessionLifetime(),
			})
			apis = append(apis, dialect.API())
			finishLink["auth0"] = dialect.FinishLink
		}
	}
	return append([]wire.API{pages.API()}, apis...), nil
}

func (h *Handler) keep() int {
	if h.Code == nil {
		return defaultKeep
	}
	return cmp.Or(h.Code.Keep, defaultKeep)
}

// origins returns web origins in the form that browsers write them.
func origins(texts []string) []string {
	var all []string
	for _, text := range texts {
		if u, err := parseOrigin(text); err == nil { // checked before
			all = append(all, u.String())
		}
	}
	return all
}

// checkPagesApart refuses a path of the pages that an API has paths below.
func checkPagesApart(path string, apis []wire.API) error {
	for _, api := range apis {
		for _, e := range api.Endpoints {
			if strings.HasPrefix(e.Path, autional.ProblemsPath(path)+"/") {
				continue // a page of its own
			}
			if strings.HasPrefix(e.Path, path+"/") || e.Path == path {
				return fmt.Errorf("path %s is taken: api %s answers %s; write another one, such as %s", path, api.Name, e.Path, portal.DefaultPath)
			}
		}
	}
	return nil
}
