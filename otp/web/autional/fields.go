// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"errors"
	"unicode/utf8"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// fieldCodes are what can be wrong with a field.
var fieldCodes = map[string]text{
	"required":    {"is required", "ist erforderlich", "为必填项"},
	"type":        {"has the wrong JSON type", "hat den falschen JSON-Typ", "JSON 类型不正确"},
	"format":      {"is not in a valid format", "hat kein gültiges Format", "格式无效"},
	"range":       {"is too long", "ist zu lang", "过长"},
	"conflict":    {"can't be combined: send either email or phone", "nicht kombinierbar: entweder email oder phone senden", "不能同时使用：请只发送 email 或 phone"},
	"unsupported": {"can't be used on this site", "kann auf dieser Site nicht verwendet werden", "在本站点不可用"},
	"unknown":     {"is not a field of this request", "ist kein Feld dieser Anfrage", "不是此请求的字段"},
	"mismatch":    {"is not the tenant that the X-Tenant-ID header names", "ist nicht der Mandant, den der Header X-Tenant-ID nennt", "与 X-Tenant-ID 标头指定的租户不一致"},
}

// fieldError is one field, the fieldCodes entry of what is wrong with it, and
// its value, nil where it has none.
type fieldError struct {
	field, code string
	value       any
}

// fieldErrors are all that is wrong with the fields of a request.
type fieldErrors []fieldError

func (e fieldErrors) Error() string { return "invalid fields" }

// reader reads the fields of a request and remembers each that is wrong.
type reader struct {
	body   wire.Object
	errors fieldErrors
}

func (f *reader) refuse(field, code string) {
	f.errors = append(f.errors, fieldError{field, code, f.body[field]})
}

// text returns a string that may be left out, then "".
func (f *reader) text(field string) string {
	value, isText := f.body.String(field)
	if f.body.Has(field) && !isText {
		f.refuse(field, "type")
	}
	return value
}

// requiredText returns a string that must be there and not be empty.
func (f *reader) requiredText(field string) string {
	value := f.text(field)
	if value == "" && !f.refused(field) {
		f.refuse(field, "required")
	}
	return value
}

// boundedText returns a string of at most so many characters that may be left
// out.
func (f *reader) boundedText(field string, longest int) string {
	value := f.text(field)
	if utf8.RuneCountInString(value) > longest {
		f.refuse(field, "range")
	}
	return value
}

// flag returns a truth value, or fallback where it is left out.
func (f *reader) flag(field string, fallback bool) bool {
	if !f.body.Has(field) {
		return fallback
	}
	value, isBool := f.body.Bool(field)
	if !isBool {
		f.refuse(field, "type")
	}
	return value
}

// only refuses every field that isn't among those named.
func (f *reader) only(known ...string) {
	for _, field := range f.body.Unknown(known...) {
		f.refuse(field, "unknown")
	}
}

func (f *reader) refused(field string) bool {
	for _, e := range f.errors {
		if e.field == field {
			return true
		}
	}
	return false
}

// err returns what is wrong, or nil.
func (f *reader) err() error {
	if len(f.errors) == 0 {
		return nil
	}
	return f.errors
}

// address returns the address of a channel's field, which must be there.
func (f *reader) address(s *otp.Service, c otp.Channel) otp.Address {
	field := fieldOf(c)
	value := f.requiredText(field)
	if f.refused(field) {
		return otp.Address{}
	}
	address, err := s.ParseAddress(c, value)
	switch {
	case errors.Is(err, otp.ErrAddressTooLong):
		f.refuse(field, "range")
	case err != nil:
		f.refuse(field, "format")
	}
	return address
}

// fieldOf is the field that holds a channel's addresses.
func fieldOf(c otp.Channel) string {
	if c == otp.SMS {
		return "phone"
	}
	return "email"
}
