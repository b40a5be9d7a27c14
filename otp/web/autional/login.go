// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// loginRequest is the body of POST /auth/login/email-code and phone-code.
type loginRequest struct {
	address  otp.Address
	code     string
	tenant   string
	register bool
}

// decodeLogin reads a login by the code that was sent over a channel. The
// fields of a CAPTCHA may be there and mean nothing: throttles do its work.
func (d *dialect) decodeLogin(c otp.Channel, body wire.Object) (loginRequest, error) {
	f := reader{body: body}
	in := loginRequest{
		address:  f.address(d.Service, c),
		code:     f.requiredText("code"),
		tenant:   f.boundedText("tenant_id", maxTenant),
		register: f.flag("register_if_new", true),
	}
	f.text("captcha_token")
	f.text("captcha_challenge_id")
	f.only(fieldOf(c), "code", "tenant_id", "register_if_new", "captcha_token", "captcha_challenge_id")
	return in, f.err()
}

// login redeems a code that was sent over a channel for a session.
func (d *dialect) login(c otp.Channel) wire.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		body, err := wire.Parse(r, wire.JSON)
		if err != nil {
			return err
		}
		in, err := d.decodeLogin(c, body)
		if err != nil {
			return err
		}
		tenant, err := tenantOf(r, in.tenant)
		if err != nil {
			return err
		}
		v, err := d.Verify(r, otp.VerifyRequest{
			Presented: d.presented(),
			Dialect:   Name,
			Address:   in.address,
			Code:      in.code,
			Tenant:    tenant,
			Known:     !in.register,
		})
		if err != nil {
			return err
		}
		return d.answerLogin(w, r, v)
	}
}

// presented is what a login says of the session to open.
func (d *dialect) presented() otp.Presented {
	return otp.Presented{Lifetime: d.RefreshLifetime, Renewable: true, Pending: d.challengeLifetime()}
}

// answerLogin answers with a session's tokens, or with the challenge of the
// second factor that it waits for.
func (d *dialect) answerLogin(w http.ResponseWriter, r *http.Request, v otp.Verification) error {
	if v.Session.Pending {
		return d.demandFactor(w, r, v.Session)
	}
	t, err := d.issue(r.Context(), v)
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, struct {
		tokens
		IsNewUser bool `json:"is_new_user"`
	}{t, v.Session.New})
	return nil
}
