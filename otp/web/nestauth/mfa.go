// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"errors"
	"net/http"
	"slices"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// mfaHandler answers a request on a path of the second factor, made in a
// session. A body that is left out is an empty object.
type mfaHandler func(w http.ResponseWriter, r *http.Request, x otp.Session, body wire.Object) error

// mfa returns what answers a path of the second factor. Where it is off, what
// the body says makes no difference, but who sends it does.
func (d *dialect) mfa(authenticate authentication, serve mfaHandler) http.HandlerFunc {
	return d.answer(func(w http.ResponseWriter, r *http.Request) error {
		if _, err := wire.Body(r); err != nil {
			return err
		}
		x, err := authenticate(r)
		switch {
		case err != nil:
			return err
		case d.Service.MFA().Off:
			return errMFAOff
		}
		body, err := wire.ParseOptional(r, wire.JSON)
		if err != nil {
			return err
		}
		return serve(w, r, x, body)
	})
}

// methodOf returns the method that a body names.
func methodOf(body wire.Object) (otp.FactorMethod, error) {
	method := otp.FactorMethod(body.Text("method"))
	if !slices.Contains([]otp.FactorMethod{otp.EmailFactor, otp.SMSFactor, otp.TOTPFactor}, method) {
		return "", invalid("method must be one of the following values: email, sms, totp")
	}
	return method, nil
}

// challenge has a code sent by a method, or sends nothing where an app makes
// it.
func (d *dialect) challenge(w http.ResponseWriter, r *http.Request, x otp.Session, body wire.Object) error {
	if err := checkKeys(body, "method"); err != nil {
		return err
	}
	method, err := methodOf(body)
	if err != nil {
		return err
	}
	factors, err := d.Service.Factors(r.Context(), x)
	if err != nil {
		return err
	}
	if method == otp.TOTPFactor {
		if !factors.TOTP {
			return otp.ErrNoFactor
		}
	} else if err := d.sendFactor(r, x, factors, otp.Channel(method)); err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, message{"MFA code sent successfully"})
	return nil
}

func (d *dialect) sendFactor(r *http.Request, x otp.Session, factors otp.Factors, c otp.Channel) error {
	address, ok := factors.First(c)
	if !ok {
		return otp.ErrNoFactor
	}
	_, err := d.Service.StartFactor(r.Context(), x, otp.FactorRequest{
		Address:  address,
		Code:     d.Code,
		ClientIP: wire.CallerOf(r).IP,
		Locale:   wire.Languages(r),
	})
	return err
}

// verifyFactor redeems a code, sent or made by an app, for a session with a
// second factor.
func (d *dialect) verifyFactor(w http.ResponseWriter, r *http.Request, x otp.Session, body wire.Object) error {
	if err := checkKeys(body, "method", "otp", "trustDevice"); err != nil {
		return err
	}
	method, err := methodOf(body)
	if err != nil {
		return err
	}
	code, err := text(body, "otp")
	if err != nil {
		return err
	}
	trust, err := optionalBool(body, "trustDevice", false)
	if err != nil {
		return err
	}
	request := otp.ElevateRequest{Code: code, Enrol: true, Trust: trust}
	elevate := d.Service.ElevateTOTP
	if method != otp.TOTPFactor {
		factors, err := d.Service.Factors(r.Context(), x)
		if err != nil {
			return err
		}
		address, ok := factors.First(otp.Channel(method))
		if !ok {
			return otp.ErrNoFactor
		}
		request.Address, elevate = address, d.Service.Elevate
	}
	v, err := d.Prove(r, x, request, elevate)
	switch {
	case err == nil:
		return d.deliverProved(w, r, v, "2FA verification successful")
	case errors.Is(err, otp.ErrWrong) && method == otp.TOTPFactor:
		return errAppCode
	case errors.Is(err, otp.ErrWrong):
		return errWrongCode
	case errors.Is(err, otp.ErrExhausted):
		return errDeadCode
	case errors.Is(err, otp.ErrExpired):
		return errExpiredCode
	}
	return err
}

// verifyRecoveryCode redeems a recovery code for a session with a second
// factor.
func (d *dialect) verifyRecoveryCode(w http.ResponseWriter, r *http.Request, x otp.Session, body wire.Object) error {
	if err := checkKeys(body, "code", "trustDevice"); err != nil {
		return err
	}
	code, err := text(body, "code")
	if err != nil {
		return err
	}
	trust, err := optionalBool(body, "trustDevice", false)
	if err != nil {
		return err
	}
	v, err := d.Prove(r, x, otp.ElevateRequest{Code: code, Trust: trust}, d.Service.ElevateRecovery)
	switch {
	case errors.Is(err, otp.ErrWrong):
		return errRecoveryCode
	case err != nil:
		return err
	}
	return d.deliverProved(w, r, v, "Recovery code verification successful")
}

// deliverProved answers with the tokens of a session that has its second
// factor.
func (d *dialect) deliverProved(w http.ResponseWriter, r *http.Request, v otp.Verification, message string) error {
	t, err := d.issue(r.Context(), v)
	if err != nil {
		return err
	}
	remember := cookieValue(r, rememberCookie) != "0"
	d.deliver(w, t, wantsCookies(r), remember, loginAnswer{Message: message, TrustToken: v.Trust})
	return nil
}
