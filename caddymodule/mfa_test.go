// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"reflect"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

func TestMFARefusesJSON(t *testing.T) {
	t.Setenv("OTP_TEST_ISSUER", "a:b")
	for options, want := range map[string]string{
		`"mfa": {"methods": ["fax"]}`:                                  "mfa methods: unknown \"fax\"; write one of: email, sms, totp",
		`"mfa": {"methods": ["sms"]}`:                                  "mfa methods has sms and the site sends none; write `sms <sender>`, or remove the method",
		`"mfa": {"off": true, "required": true}`:                       "mfa off turns every second factor off; remove its other options",
		`"mfa": {"required": true, "user_toggle": true}`:               "mfa required leaves people no choice; remove required or user_toggle",
		`"mfa": {"off": true}, "require_mfa": [{"paths": ["/admin"]}]`: "require_mfa asks for what mfa off takes away; remove one of the two",
		`"mfa": {"trusted_device": -1}`:                                "mfa trusted_device must be from 1s to 365d, not -1ns",
		`"mfa": {"issuer": "{env.OTP_TEST_ISSUER}"}`:                   `mfa issuer "a:b": write a name of at most 64 characters without a colon, such as Example`,
		`"apis": [{"name": "autional", "send_requires": "token"}]`:     "only api nestauth has send_requires; remove it",
		`"apis": [{"name": "nestauth", "send_requires": "captcha"}]`:   "send_requires: unknown \"captcha\"; write one of: token",
	} {
		t.Run(options, func(t *testing.T) {
			_, err := provision(t, isolated(t, siteJSON(options)))
			if err == nil {
				t.Fatal("is taken")
			}
			if want := "site http://localhost: " + want; cause(err) != want {
				t.Errorf("\n%s\nnot\n%s", cause(err), want)
			}
		})
	}
}

// TestMFAPolicy: what the options say is what the domain goes by.
func TestMFAPolicy(t *testing.T) {
	for _, tc := range []struct {
		mfa  *MFA
		want otp.MFAPolicy
	}{
		{nil, otp.MFAPolicy{}},
		{&MFA{Off: true}, otp.MFAPolicy{Off: true}},
		{&MFA{Methods: []string{"totp", "email"}, Required: true, Distinct: true, TrustedDevice: 1000, Issuer: "Example"},
			otp.MFAPolicy{Methods: []otp.FactorMethod{otp.TOTPFactor, otp.EmailFactor}, Required: true, Distinct: true, TrustedDevice: time.Microsecond, Issuer: "Example"}},
		{&MFA{UserToggle: true}, otp.MFAPolicy{UserToggle: true}},
	} {
		if got := (&Options{MFA: tc.mfa}).mfaPolicy(); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%+v: %+v, want %+v", tc.mfa, got, tc.want)
		}
	}
}
