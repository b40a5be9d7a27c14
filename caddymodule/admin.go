// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-otp/caddy-otp/otp"
)

func init() { caddy.RegisterModule(adminAPI{}) }

// adminAPI adds to Caddy's admin API what an admin does about addresses:
//
//	POST /otp/unlock {"site": "app.example.com", "address": "alice@example.com"}
//
// takes back the wrong guesses at an address, and with them its cool-down or
// that codes to it are disabled, and those at the authenticator apps and recovery
// codes of whom it belongs to. The answer is 204. site is the host of a
// public_url, and may be left out where there is one.
type adminAPI struct{}

const unlockPath = "/otp/unlock"

// unlockRequest is the body of a request to [unlockPath].
type unlockRequest struct {
	Site    string `json:"site,omitempty"`
	Address string `json:"address"`
}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.otp", New: func() caddy.Module { return new(adminAPI) }}
}

// Routes returns the routes of the admin API.
func (a *adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: unlockPath, Handler: caddy.AdminHandlerFunc(a.unlock)}}
}

// maxAdminBody is the longest body of a request, in bytes.
const maxAdminBody = 8 << 10

func (a *adminAPI) unlock(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return adminError(http.StatusMethodNotAllowed, errors.New("write POST"))
	}
	var request unlockRequest
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdminBody))
	body.DisallowUnknownFields()
	if err := body.Decode(&request); err != nil {
		return adminError(http.StatusBadRequest, fmt.Errorf(`%w; write {"site": "app.example.com", "address": "alice@example.com"}`, err))
	}
	service, err := runningService(request.Site)
	if err != nil {
		return adminError(http.StatusNotFound, err)
	}
	channel := otp.SMS
	if strings.Contains(request.Address, "@") {
		channel = otp.Email
	}
	address, err := service.ParseAddress(channel, request.Address)
	if err != nil {
		return adminError(http.StatusBadRequest, fmt.Errorf("address: %w; write an e-mail address or a phone number such as +12025550143", err))
	}
	if err := service.Unlock(r.Context(), address); err != nil {
		return adminError(http.StatusServiceUnavailable, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// runningService returns the service of a site of the configuration that runs,
// by the host of its public_url; the only one for "". The app is looked for
// anew each time: where no otp block configures it, it comes with the first site.
func runningService(host string) (*otp.Service, error) {
	module, err := caddy.ActiveContext().AppIfConfigured("otp")
	if err != nil {
		return nil, errors.New("no site with otp runs here")
	}
	services := module.(*App).services
	var hosts []string
	for _, service := range services {
		if name := service.PublicURL().Host; name == host || host == "" && len(services) == 1 {
			return service, nil
		}
		hosts = append(hosts, service.PublicURL().Host)
	}
	slices.Sort(hosts)
	if host == "" {
		return nil, fmt.Errorf("say which site; there are: %s", strings.Join(hosts, ", "))
	}
	return nil, fmt.Errorf("there is no site %q; there are: %s", host, strings.Join(hosts, ", "))
}

func adminError(status int, err error) error {
	return caddy.APIError{HTTPStatus: status, Err: err}
}

// Interface guards
var _ caddy.AdminRouter = (*adminAPI)(nil)
