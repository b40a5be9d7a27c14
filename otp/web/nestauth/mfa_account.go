// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"bytes"
	"encoding/base64"
	"errors"
	"image/png"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// mfaDevice is an authenticator app.
type mfaDevice struct {
	ID         string           `json:"id"`
	Name       string           `json:"deviceName"`
	Method     otp.FactorMethod `json:"method"`
	LastUsedAt *string          `json:"lastUsedAt"`
	Verified   bool             `json:"verified"`
	CreatedAt  string           `json:"createdAt"`
}

func devicesOf(apps []otp.AuthenticatorApp) []mfaDevice {
	devices := []mfaDevice{}
	for _, app := range apps {
		devices = append(devices, mfaDevice{
			ID:         app.ID,
			Name:       app.Name,
			Method:     otp.TOTPFactor,
			LastUsedAt: optionalTimestamp(app.Used),
			Verified:   true,
			CreatedAt:  timestamp(app.Created),
		})
	}
	return devices
}

func optionalTimestamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := timestamp(t)
	return &text
}

// mfaStatus tells what somebody has of second factors.
func (d *dialect) mfaStatus(w http.ResponseWriter, r *http.Request, x otp.Session, _ wire.Object) error {
	e, err := d.Service.Enrolment(r.Context(), x)
	if err != nil {
		return err
	}
	policy, methods := d.Service.MFA(), d.Service.FactorMethods()
	wire.WriteJSON(w, http.StatusOK, struct {
		IsEnabled            bool               `json:"isEnabled"`
		VerifiedMethods      []otp.FactorMethod `json:"verifiedMethods"`
		ConfiguredMethods    []otp.FactorMethod `json:"configuredMethods"`
		AllowUserToggle      bool               `json:"allowUserToggle"`
		AllowMethodSelection bool               `json:"allowMethodSelection"`
		TOTPDevices          []mfaDevice        `json:"totpDevices"`
		HasRecoveryCode      bool               `json:"hasRecoveryCode"`
		Required             bool               `json:"required"`
		CanToggle            bool               `json:"canToggle"`
	}{
		IsEnabled:            e.Enabled,
		VerifiedMethods:      append([]otp.FactorMethod{}, e.Verified...),
		ConfiguredMethods:    append([]otp.FactorMethod{}, methods...),
		AllowUserToggle:      policy.UserToggle,
		AllowMethodSelection: len(methods) > 1,
		TOTPDevices:          devicesOf(e.Apps),
		HasRecoveryCode:      e.HasRecovery,
		Required:             e.Required,
		CanToggle:            policy.UserToggle && !e.Required,
	})
	return nil
}

// toggle turns the second factor on or off for who asks.
func (d *dialect) toggle(w http.ResponseWriter, r *http.Request, x otp.Session, body wire.Object) error {
	if err := checkKeys(body, "enabled"); err != nil {
		return err
	}
	on, ok := body.Bool("enabled")
	if !ok {
		return invalid("enabled must be a boolean value")
	}
	err := d.Service.SetMFA(r.Context(), x, on)
	switch {
	case errors.Is(err, otp.ErrNoFactor):
		return errNoMethod
	case err != nil:
		return err
	}
	answer := message{"MFA disabled successfully"}
	if on {
		answer = message{"MFA enabled successfully"}
	}
	wire.WriteJSON(w, http.StatusOK, answer)
	return nil
}

// generateRecoveryCodes gives out new recovery codes, once.
func (d *dialect) generateRecoveryCodes(w http.ResponseWriter, r *http.Request, x otp.Session, _ wire.Object) error {
	codes, err := d.Service.NewRecoveryCodes(r.Context(), x)
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, struct {
		Codes []string `json:"codes"`
		Code  string   `json:"code"`
	}{codes, codes[0]})
	return nil
}

// resetTOTP removes all authenticator apps for a recovery code.
func (d *dialect) resetTOTP(w http.ResponseWriter, r *http.Request, x otp.Session, body wire.Object) error {
	if err := checkKeys(body, "code"); err != nil {
		return err
	}
	code, err := text(body, "code")
	if err != nil {
		return err
	}
	err = d.Service.ResetTOTP(r.Context(), x, code, wire.CallerOf(r).IP)
	switch {
	case errors.Is(err, otp.ErrWrong):
		return errRecoveryCode
	case err != nil:
		return err
	}
	wire.WriteJSON(w, http.StatusOK, message{"MFA reset successfully"})
	return nil
}

// maxDeviceName is the longest name of a device and label of an account, in
// characters.
const maxDeviceName = 128

// shortText returns a text that may be left out.
func shortText(body wire.Object, key string) (string, error) {
	value, err := optionalText(body, key)
	if err == nil && utf8.RuneCountInString(value) > maxDeviceName {
		err = invalid(key + " must be shorter than or equal to 128 characters")
	}
	return value, err
}

// setUpTOTP gives out the secret of a new authenticator app.
func (d *dialect) setUpTOTP(w http.ResponseWriter, r *http.Request, x otp.Session, body wire.Object) error {
	if err := checkKeys(body, "label", "deviceName"); err != nil {
		return err
	}
	label, err := shortText(body, "label")
	if err != nil {
		return err
	}
	name, err := shortText(body, "deviceName")
	if err != nil {
		return err
	}
	setup, err := d.Service.StartTOTP(r.Context(), x, label, name)
	if err != nil {
		return err
	}
	picture, err := qrCode(setup.URL)
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, struct {
		Secret  string `json:"secret"`
		QRCode  string `json:"qrCode"`
		URL     string `json:"otpAuthUrl"`
		Issuer  string `json:"issuer"`
		Account string `json:"account"`
	}{setup.Secret, picture, setup.URL, setup.Issuer, setup.Account})
	return nil
}

// qrSize is the width and height of a picture, in pixels: enough for the
// longest address that there can be.
const qrSize = 384

// qrCode returns a picture of a text as a data URL.
func qrCode(text string) (string, error) {
	code, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		return "", err
	}
	if code, err = barcode.Scale(code, qrSize, qrSize); err != nil {
		return "", err
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, code); err != nil {
		return "", err
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture.Bytes()), nil
}

// confirmTOTP adds an authenticator app that shows its first code.
func (d *dialect) confirmTOTP(w http.ResponseWriter, r *http.Request, x otp.Session, body wire.Object) error {
	if err := checkKeys(body, "secret", "otp"); err != nil {
		return err
	}
	secret, err := text(body, "secret")
	if err != nil {
		return err
	}
	code, err := text(body, "otp")
	if err != nil {
		return err
	}
	err = d.Service.ConfirmTOTP(r.Context(), x, secret, code)
	switch {
	case errors.Is(err, otp.ErrWrong):
		return errAppCode
	case err != nil:
		return err
	}
	wire.WriteJSON(w, http.StatusOK, message{"Device setup successfully"})
	return nil
}

// listDevices lists the person's authenticator apps.
func (d *dialect) listDevices(w http.ResponseWriter, r *http.Request, x otp.Session, _ wire.Object) error {
	e, err := d.Service.Enrolment(r.Context(), x)
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, devicesOf(e.Apps))
	return nil
}

// removeDevice removes one of the person's authenticator apps.
func (d *dialect) removeDevice(w http.ResponseWriter, r *http.Request, x otp.Session, _ wire.Object) error {
	err := d.Service.RemoveTOTP(r.Context(), x, r.PathValue("id"))
	switch {
	case errors.Is(err, otp.ErrNoFactor):
		return errNoDevice
	case err != nil:
		return err
	}
	wire.WriteJSON(w, http.StatusOK, message{"MFA device removed successfully"})
	return nil
}
