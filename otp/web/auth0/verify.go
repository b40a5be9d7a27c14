// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// legacyGrant is the grant_type of a code that is redeemed at
// /passwordless/verify.
const legacyGrant = "password"

var (
	errLegacyClient = refuse(http.StatusForbidden, "unauthorized_client", "invalid client")
	errOperation    = badRequest("invalid_request", "specified strategy does not support requested operation")
)

// serveVerify answers POST /passwordless/verify in both its uses: the documented
// one redeems a code for tokens; that of auth0-js, on a page of this host, asks
// whether a code is right before it takes the browser to
// /passwordless/verify_redirect with it.
func (d *Dialect) serveVerify(w http.ResponseWriter, r *http.Request) error {
	o, err := wire.Parse(r, wire.JSON|wire.Form)
	if err != nil {
		return err
	}
	if o.Has("verification_code") {
		if err := d.tryCode(r, o); err != nil {
			return err
		}
		wire.WriteJSON(w, http.StatusOK, struct{}{})
		return nil
	}
	answer, err := d.redeemLegacy(r, o)
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, answer)
	return nil
}

// legacyParameter reads a parameter in the words of the legacy document.
func legacyParameter(o wire.Object, name string) (string, error) {
	if text := o.Text(name); text != "" {
		return text, nil
	}
	return "", badRequest("invalid_request", "missing "+name+" parameter")
}

// legacyChannel reads the connection.
func (d *Dialect) legacyChannel(o wire.Object) (otp.Channel, error) {
	connection, err := legacyParameter(o, "connection")
	if err != nil {
		return "", err
	}
	channel := otp.Channel(connection)
	switch {
	case channel != otp.Email && channel != otp.SMS:
		return "", badRequest("invalid_request", "the connection was not found")
	case !d.isEnabled(channel):
		return "", badRequest("invalid_request", "the connection was disabled")
	}
	return channel, nil
}

func (d *Dialect) redeemLegacy(r *http.Request, o wire.Object) (tokenAnswer, error) {
	if _, err := legacyParameter(o, "client_id"); err != nil {
		return tokenAnswer{}, err
	}
	channel, err := d.legacyChannel(o)
	if err != nil {
		return tokenAnswer{}, err
	}
	g := otpGrant{channel: channel}
	if g.username, err = legacyParameter(o, "username"); err != nil {
		return tokenAnswer{}, err
	}
	if g.code, err = legacyParameter(o, "password"); err != nil {
		return tokenAnswer{}, err
	}
	scope, ok := o.String("scope")
	if o.Has("scope") && !ok {
		return tokenAnswer{}, badRequest("invalid_request", "scope parameter must be a string")
	}
	g.scopes = parseScopes(scope)
	if o.Text("grant_type") != legacyGrant {
		return tokenAnswer{}, errOperation
	}
	client, err := d.authenticate(r, o)
	switch {
	case errors.Is(err, errInvalidClient), err == nil && !client.mayUse(GrantOTP):
		return tokenAnswer{}, errLegacyClient
	case err != nil:
		return tokenAnswer{}, err
	}
	if g.audience, err = d.audienceFor(client, ""); err != nil {
		return tokenAnswer{}, err
	}
	v, err := d.redeemOTP(onBehalf(r, client), client, g)
	if err != nil {
		return tokenAnswer{}, legacyRefusal(channel, err)
	}
	return d.issueUnlessDue(r.Context(), v)
}

// legacyRefusal gives the refusals of a code the errors that this endpoint
// documents for them.
func legacyRefusal(c otp.Channel, err error) error {
	switch {
	case errors.Is(err, otp.ErrWrong):
		return refuse(http.StatusUnauthorized, "invalid_user_password", wrongCode(c))
	case errors.Is(err, otp.ErrExpired):
		return refuse(http.StatusUnauthorized, "invalid_user_password", errExpired.Description)
	case errors.Is(err, otp.ErrExhausted):
		return refuse(http.StatusTooManyRequests, "too_many_attempts", maxAttempts)
	case errors.Is(err, otp.ErrCoolDown):
		return &waitingRefusal{refuse(http.StatusTooManyRequests, "too_many_attempts", maxAttempts), err}
	case errors.Is(err, otp.ErrThrottled):
		return &waitingRefusal{refuse(http.StatusTooManyRequests, "too_many_logins", errRateLimit.Description), err}
	}
	return err
}

// waitingRefusal is a refusal that says when to come back.
type waitingRefusal struct {
	*refusal
	cause error
}

func (e *waitingRefusal) Unwrap() []error { return []error{e.refusal, e.cause} }

// tryCode tells whether a code is right, and leaves it to be redeemed.
func (d *Dialect) tryCode(r *http.Request, o wire.Object) error {
	client, known := d.client(o.Text("client_id"))
	if _, err := legacyParameter(o, "client_id"); err != nil {
		return err
	}
	if !known {
		return errLegacyClient
	}
	channel, err := d.legacyChannel(o)
	if err != nil {
		return err
	}
	typed, err := legacyParameter(o, addressParameter(channel))
	if err != nil {
		return err
	}
	wrong := refuse(http.StatusForbidden, "access_denied", wrongCode(channel))
	address, err := d.Service.ParseAddress(channel, typed)
	if err != nil {
		return wrong
	}
	err = d.Service.Try(r.Context(), otp.VerifyRequest{
		Presented: otp.Presented{ClientIP: wire.CallerOf(r).IP},
		Dialect:   Name,
		Client:    client.ID,
		Address:   address,
		Purpose:   otp.Login,
		Code:      o.Text("verification_code"),

		KnownBrowser: otp.KnownBrowser{ID: d.Known(r, address)},
	})
	switch {
	case errors.Is(err, otp.ErrWrong):
		return wrong
	case err != nil:
		return asAccessDenied(err)
	}
	return nil
}

// addressParameter is what an address of a channel is called.
func addressParameter(c otp.Channel) string {
	if c == otp.SMS {
		return "phone_number"
	}
	return "email"
}
