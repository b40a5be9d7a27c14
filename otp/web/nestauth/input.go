// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// maxTenant is the longest tenantId, in characters.
const maxTenant = 128

// checkKeys refuses a key that a careless parser would take for one of those
// known: what is checked here and read behind us must be the same field.
// Other unknown keys are ignored, as the dialect documents it.
func checkKeys(o wire.Object, known ...string) error {
	for _, key := range o.Unknown(known...) {
		if slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, key) }) {
			return invalid("property " + key + " should not exist")
		}
	}
	return nil
}

// text returns a string that must be there and not be empty.
func text(o wire.Object, key string) (string, error) {
	value, isText := o.String(key)
	switch {
	case !o.Has(key), isText && value == "":
		return "", invalid(key + " should not be empty")
	case !isText:
		return "", invalid(key + " must be a string")
	}
	return value, nil
}

// optionalText returns a string that may be left out, then "".
func optionalText(o wire.Object, key string) (string, error) {
	value, isText := o.String(key)
	if o.Has(key) && !isText {
		return "", invalid(key + " must be a string")
	}
	return value, nil
}

// optionalBool returns a truth value, or fallback where it is left out.
func optionalBool(o wire.Object, key string, fallback bool) (bool, error) {
	if !o.Has(key) {
		return fallback, nil
	}
	value, isBool := o.Bool(key)
	if !isBool {
		return false, invalid(key + " must be a boolean value")
	}
	return value, nil
}

// tenant returns the caller's tenantId. It is an opaque name that is only
// echoed: the published example is the word "string".
func tenant(o wire.Object) (string, error) {
	value, err := optionalText(o, "tenantId")
	if err == nil && utf8.RuneCountInString(value) > maxTenant {
		err = invalid("tenantId must be shorter than or equal to 128 characters")
	}
	return value, err
}

// channelOf reads the dialect's name of a channel.
func channelOf(value any) (otp.Channel, bool) {
	switch value {
	case "email":
		return otp.Email, true
	case "sms":
		return otp.SMS, true
	}
	return "", false
}
