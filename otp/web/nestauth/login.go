// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"log/slog"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// provider is the providerName of our logins; the app may have others.
const provider = "passwordless"

// isPasswordlessLogin reports whether a login is by a code of ours.
func isPasswordlessLogin(r *http.Request) bool {
	body, err := wire.Parse(r, wire.JSON)
	return err == nil && body.Text("providerName") == provider
}

// loginRequest is the body of POST /auth/login.
type loginRequest struct {
	identifier, code string
	channels         []otp.Channel
	tenant           string
	remember, create bool
}

func decodeLogin(body wire.Object) (loginRequest, error) {
	var in loginRequest
	err := checkKeys(body, "providerName", "credentials", "tenantId", "rememberMe", "guard", "createUserIfNotExists")
	if err != nil {
		return in, err
	}
	name, err := text(body, "providerName")
	if err != nil {
		return in, err
	}
	if name != provider {
		return in, errProvider
	}
	credentials, ok := body.Object("credentials")
	if !ok {
		return in, invalid("credentials must be an object")
	}
	if in.tenant, err = tenant(body); err != nil {
		return in, err
	}
	if in.remember, err = optionalBool(body, "rememberMe", true); err != nil {
		return in, err
	}
	if in.create, err = optionalBool(body, "createUserIfNotExists", true); err != nil {
		return in, err
	}
	if _, err = optionalText(body, "guard"); err != nil {
		return in, err
	}
	return in, in.decodeCredentials(credentials)
}

func (in *loginRequest) decodeCredentials(o wire.Object) error {
	if err := checkKeys(o, "identifier", "code", "channels"); err != nil {
		return err
	}
	for _, key := range []string{"identifier", "code", "channels"} {
		if !o.Has(key) || o[key] == "" {
			return errMissingFields
		}
	}
	var haveIdentifier, haveCode bool
	in.identifier, haveIdentifier = o.String("identifier")
	in.code, haveCode = o.String("code")
	if !haveIdentifier || !haveCode {
		return invalid("identifier and code are required for passwordless OTP login")
	}
	channels, ok := o["channels"].([]any)
	if !ok {
		return invalid("channels must be an array")
	}
	for _, value := range channels {
		channel, ok := channelOf(value)
		if !ok {
			return invalid("each value in channels must be one of the following values: email, sms")
		}
		in.channels = append(in.channels, channel)
	}
	return nil
}

// login redeems a code for a session.
func (d *dialect) login(w http.ResponseWriter, r *http.Request) error {
	body, err := wire.Parse(r, wire.JSON)
	if err != nil {
		return err
	}
	in, err := decodeLogin(body)
	if err != nil {
		return err
	}
	address, ok := d.addressOf(in)
	if !ok {
		return otp.ErrWrong
	}
	v, err := d.Verify(r, otp.VerifyRequest{
		Presented: otp.Presented{
			Lifetime:  d.RefreshLifetime,
			Renewable: true,
			Due:       otp.KeepPending,
			Trust:     trustOf(r),
		},
		Dialect: Name,
		Address: address,
		Code:    in.code,
		Tenant:  in.tenant,
		Known:   !in.create,
	})
	if err != nil {
		return err
	}
	t, err := d.issue(r.Context(), v)
	if err != nil {
		return err
	}
	answer := loginAnswer{Message: "Login successful", IsRequiresMFA: v.Session.Pending}
	if v.Session.Pending {
		answer.MFAMethods = d.methodsOf(r, v.Session)
	}
	if len(answer.MFAMethods) > 0 {
		answer.DefaultMFAMethod = answer.MFAMethods[0]
	}
	d.deliver(w, t, wantsCookies(r), in.remember, answer)
	return nil
}

// methodsOf returns by what the second factor of a session can be proved. The
// code is used up: where that can't be told now, the client may ask later.
func (d *dialect) methodsOf(r *http.Request, x otp.Session) []otp.FactorMethod {
	factors, err := d.Service.Factors(r.Context(), x)
	if err != nil {
		d.Logger.Warn("the methods of a second factor can't be told", slog.Any("error", err))
		return nil
	}
	return factors.Methods()
}

// addressOf returns the address that the identifier is on the first of the
// channels that it fits. It is of one channel at the most, since only e-mail
// addresses have an @: one guess stays one guess.
func (d *dialect) addressOf(in loginRequest) (otp.Address, bool) {
	for _, channel := range in.channels {
		if address, err := d.Service.ParseAddress(channel, in.identifier); err == nil {
			return address, true
		}
	}
	return otp.Address{}, false
}
