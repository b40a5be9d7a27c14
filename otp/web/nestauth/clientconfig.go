// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

type enabled struct {
	Enabled bool `json:"enabled"`
}

// clientConfig tells a front end which ways to sign in there are.
func (d *dialect) clientConfig(w http.ResponseWriter, _ *http.Request) error {
	var config struct {
		Tenants struct {
			enabled
			Mode string `json:"mode"`
		} `json:"tenants"`
		MultipleAccounts enabled  `json:"multipleAccounts"`
		RoleGuards       []string `json:"roleGuards"`
		EmailAuth        enabled  `json:"emailAuth"`
		PhoneAuth        enabled  `json:"phoneAuth"`
		Passwordless     struct {
			enabled
			AllowSignUp bool `json:"allowSignUp"`
		} `json:"passwordless"`
		Google          enabled  `json:"google"`
		Facebook        enabled  `json:"facebook"`
		Apple           enabled  `json:"apple"`
		GitHub          enabled  `json:"github"`
		CustomProviders []string `json:"customProviders"`
		Registration    struct {
			enabled
			RequireInvitation bool `json:"requireInvitation"`
		} `json:"registration"`
		MFA struct {
			enabled
			Methods              []otp.FactorMethod `json:"methods"`
			AllowUserToggle      bool               `json:"allowUserToggle"`
			AllowMethodSelection bool               `json:"allowMethodSelection"`
		} `json:"mfa"`
		PlatformAccess  enabled `json:"platformAccess"`
		AccessTokenType string  `json:"accessTokenType"`
	}
	config.Tenants.Mode = "single"
	config.RoleGuards = []string{}
	config.EmailAuth.Enabled = d.Service.HasSender(otp.Email)
	config.PhoneAuth.Enabled = d.Service.HasSender(otp.SMS)
	config.Passwordless.Enabled = true
	config.Passwordless.AllowSignUp = true
	config.CustomProviders = []string{}
	policy := d.Service.MFA()
	config.MFA.Enabled = !policy.Off
	config.MFA.Methods = append([]otp.FactorMethod{}, d.Service.FactorMethods()...)
	config.MFA.AllowUserToggle = policy.UserToggle
	config.MFA.AllowMethodSelection = len(config.MFA.Methods) > 1
	config.AccessTokenType = "header" // the default; a request may ask for cookies
	wire.WriteJSON(w, http.StatusOK, config)
	return nil
}
