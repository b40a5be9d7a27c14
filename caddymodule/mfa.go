// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
)

// MFA says which second factors there are, and of whom one is demanded.
type MFA struct {
	// Whether there are none: the APIs' paths answer that they are off. Who
	// must have one, because the directory says so, can't sign in then.
	Off bool `json:"off,omitempty"`

	// The methods, of `email`, `sms` and `totp` (an authenticator app).
	// Default: those that messages can be sent by, and `totp`.
	Methods []string `json:"methods,omitempty"`

	// Whether every session needs one. Without it a session opens no path that
	// needs one, and on open paths the app is told of nobody. The auth0 API,
	// which has no way to prove one, signs nobody in.
	Required bool `json:"required,omitempty"`

	// Whether the channel that opened the session is refused as its second
	// factor: no code by e-mail after a code by e-mail. Default: an address of
	// the same channel will do where nothing else is known of the person.
	Distinct bool `json:"distinct,omitempty"`

	// Whether people may turn it on and off for themselves, by the nestauth
	// API. What they have turned on counts for as long as this stands.
	UserToggle bool `json:"user_toggle,omitempty"`

	// How long a device needs no second factor that somebody chose to trust,
	// by the nestauth API; at most 365 days. Default: `7d`.
	TrustedDevice caddy.Duration `json:"trusted_device,omitempty"`

	// What authenticator apps call the site. Default: its host.
	Issuer string `json:"issuer,omitempty"`
}

// parseMFA reads `mfa off` or
//
//	mfa {
//		methods email sms totp
//		required
//		distinct
//		user_toggle
//		trusted_device <duration>
//		issuer <name>
//	}
func parseMFA(d *caddyfile.Dispenser) (*MFA, error) {
	m := new(MFA)
	if d.NextArg() {
		if d.Val() != "off" || d.NextArg() {
			return nil, d.Errf("write `mfa off`, or mfa with a block; not %q", d.Val())
		}
		m.Off = true
		return m, noBlock(d, "mfa off")
	}
	block := newBlockRepeating(d)
	for block.next() {
		var err error
		switch d.Val() {
		case "methods":
			m.Methods, err = oneOrMore(d, "email|sms|totp...")
		case "required":
			m.Required, err = true, none(d)
		case "distinct":
			m.Distinct, err = true, none(d)
		case "user_toggle":
			m.UserToggle, err = true, none(d)
		case "trusted_device":
			m.TrustedDevice, err = duration(d, "mfa", maxSessionLifetime)
		case "issuer":
			m.Issuer, err = one(d, "<name>")
		default:
			err = unknown(d, "methods", "required", "distinct", "user_toggle", "trusted_device", "issuer")
		}
		if err == nil {
			err = at(d, m.check())
		}
		if err != nil {
			return nil, err
		}
	}
	if block.err == nil && len(block.seen) == 0 {
		return nil, block.opening.at(errors.New("mfa says nothing; write `mfa off`, or a block such as mfa { required }"))
	}
	return m, block.err
}

// maxIssuer is the longest name of an issuer, in characters: apps show little
// more.
const maxIssuer = 64

func (m *MFA) check() error {
	var g given
	g.duration("mfa trusted_device", m.TrustedDevice, maxSessionLifetime)
	if g.err != nil {
		return g.err
	}
	for i, method := range m.Methods {
		if err := checkWord("mfa methods", method, string(otp.EmailFactor), string(otp.SMSFactor), string(otp.TOTPFactor)); err != nil {
			return err
		}
		if slices.Contains(m.Methods[:i], method) {
			return fmt.Errorf("mfa methods has %s twice; keep one", method)
		}
	}
	switch {
	case m.Off && (m.Required || m.Distinct || m.UserToggle || len(m.Methods) > 0 || m.TrustedDevice != 0 || m.Issuer != ""):
		return errors.New("mfa off turns every second factor off; remove its other options")
	case m.Required && m.UserToggle:
		return errors.New("mfa required leaves people no choice; remove required or user_toggle")
	}
	if isPlaceholder(m.Issuer) {
		return nil
	}
	return checkIssuer(m.Issuer)
}

// checkIssuer refuses what would end the name early in an app.
func checkIssuer(name string) error {
	if strings.Contains(name, ":") || utf8.RuneCountInString(name) > maxIssuer {
		return fmt.Errorf("mfa issuer %q: write a name of at most %d characters without a colon, such as Example", name, maxIssuer)
	}
	return nil
}

// checkMFA judges mfa together with the options that it depends on.
func (o *Options) checkMFA() error {
	if o.MFA == nil {
		return nil
	}
	if err := o.MFA.check(); err != nil {
		return err
	}
	switch {
	case o.MFA.Off && len(o.RequireMFA) > 0:
		return errors.New("require_mfa asks for what mfa off takes away; remove one of the two")
	case slices.Contains(o.MFA.Methods, string(otp.SMSFactor)) && len(o.SMSRaw) == 0:
		return errors.New("mfa methods has sms and the site sends none; write `sms <sender>`, or remove the method")
	}
	return nil
}

// mfaPolicy is the site's policy of second factors.
func (o *Options) mfaPolicy() otp.MFAPolicy {
	if o.MFA == nil {
		return otp.MFAPolicy{}
	}
	p := otp.MFAPolicy{
		Off:           o.MFA.Off,
		Required:      o.MFA.Required,
		Distinct:      o.MFA.Distinct,
		UserToggle:    o.MFA.UserToggle,
		TrustedDevice: time.Duration(o.MFA.TrustedDevice),
		Issuer:        o.MFA.Issuer,
	}
	for _, method := range o.MFA.Methods {
		p.Methods = append(p.Methods, otp.FactorMethod(method))
	}
	return p
}
