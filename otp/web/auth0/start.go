// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// startRequest is a well-formed request for a code or a link.
type startRequest struct {
	address otp.Address
	form    otp.Form
	// linkPayload is what the link carries, where form has one.
	linkPayload []byte
}

// serveStart answers POST /passwordless/start.
func (d *Dialect) serveStart(w http.ResponseWriter, r *http.Request) error {
	answer, quota, err := d.start(r)
	if err != nil {
		return err
	}
	d.tellQuota(w.Header(), quota)
	wire.WriteJSON(w, http.StatusOK, answer)
	return nil
}

func (d *Dialect) start(r *http.Request) (any, otp.Quota, error) {
	// The official node client sends its JSON as text/plain where a call has
	// headers of its own.
	o, err := wire.Parse(r, wire.JSON|wire.PlainJSON)
	if err != nil {
		return nil, otp.Quota{}, err
	}
	request, err := decodeStart(o, d.isEnabled)
	if err != nil {
		return nil, otp.Quota{}, err
	}
	client, err := d.authenticate(r, o)
	if err != nil {
		return nil, otp.Quota{}, err
	}
	r = onBehalf(r, client)
	domainRequest := otp.StartRequest{
		Dialect: Name,
		Client:  client.ID,
		Address: request.address,
		Form:    request.form,
		Locale:  requestedLanguage(r),
	}
	if request.form == otp.FormLink {
		domainRequest.LinkPath, domainRequest.LinkPayload = d.LinkPath, request.linkPayload
	}
	started, err := d.Start(r, domainRequest)
	switch {
	case errors.Is(err, otp.ErrNoSender):
		return nil, otp.Quota{}, errConnectionDisabled
	case err != nil:
		return nil, otp.Quota{}, err
	}
	return startedBody(d.Service.Realm(), request.address), started.Quota, nil
}

// isEnabled reports whether the clients may use a channel.
func (d *Dialect) isEnabled(c otp.Channel) bool {
	return d.Service.HasSender(c) && (len(d.Connections) == 0 || slices.Contains(d.Connections, c))
}

// startedBody is the answer to a start. It tells nothing of whether there is
// an account: the id is made from the address alone.
func startedBody(realm string, a otp.Address) any {
	id := otp.SubjectHex(realm, a)
	if a.Channel() == otp.SMS {
		return struct {
			ID       string `json:"_id"`
			Phone    string `json:"phone_number"`
			Verified bool   `json:"phone_verified"`
		}{ID: id, Phone: a.String()}
	}
	return struct {
		ID       string `json:"_id"`
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
	}{ID: id, Email: a.String()}
}

var errConnectionDisabled = badRequest("bad.connection", "Connection is disabled")

// decodeStart judges a request in the order of the documented error table;
// who sends it is judged afterwards.
func decodeStart(o wire.Object, enabled func(otp.Channel) bool) (startRequest, error) {
	var s startRequest
	if _, err := requiredText(o, "client_id"); err != nil {
		return s, err
	}
	channel, err := decodeConnection(o, enabled)
	if err != nil {
		return s, err
	}
	if s.linkPayload, err = decodeAuthParams(o); err != nil {
		return s, err
	}
	if err := checkProperties(o); err != nil {
		return s, err
	}
	if s.address, err = decodeAddress(o, channel); err != nil {
		return s, err
	}
	if s.form, err = decodeForm(o, channel); err != nil {
		return s, err
	}
	return s, nil
}

func decodeConnection(o wire.Object, enabled func(otp.Channel) bool) (otp.Channel, error) {
	connection, err := requiredText(o, "connection")
	if err != nil {
		return "", err
	}
	channel := otp.Channel(connection)
	switch {
	case channel != otp.Email && channel != otp.SMS:
		return "", badRequest("bad.connection", "Connection does not exist")
	case !enabled(channel):
		return "", errConnectionDisabled
	}
	return channel, nil
}

func checkProperties(o wire.Object) error {
	unknown := o.Unknown("client_id", "client_secret", "client_assertion", "client_assertion_type",
		"connection", "email", "phone_number", "send", "authParams")
	if len(unknown) > 0 {
		return badRequest("bad.request", "the following properties are not allowed: "+strings.Join(unknown, ", "))
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		if _, ok := o.String(name); o.Has(name) && !ok {
			return badRequest("bad.request", wrongType(name, o[name], "string"))
		}
	}
	return nil
}

func decodeAddress(o wire.Object, c otp.Channel) (otp.Address, error) {
	if c == otp.SMS {
		return decodePhone(o)
	}
	email, err := requiredText(o, "email")
	if err != nil {
		return otp.Address{}, err
	}
	address, err := otp.ParseEmail(email)
	if err != nil {
		return otp.Address{}, badRequest("bad.email", "Object didn't pass validation for format email: "+email)
	}
	return address, nil
}

// decodePhone refuses a number that matches the documented pattern but can't
// exist in the same words: nothing could be sent to it, and whether a number
// can exist is no secret.
func decodePhone(o wire.Object) (otp.Address, error) {
	phone, err := requiredText(o, "phone_number")
	if err != nil {
		return otp.Address{}, err
	}
	address, err := otp.ParsePhone(phone, "")
	if err != nil || !matchesPhonePattern(phone) {
		return otp.Address{}, badRequest("bad.phone_number", `String does not match pattern: ^\+[0-9]{1,15}$`)
	}
	return address, nil
}

func matchesPhonePattern(s string) bool {
	digits, plus := strings.CutPrefix(s, "+")
	if !plus || len(digits) < 1 || len(digits) > 15 {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// decodeForm reads send. Links go by e-mail only: an SMS has a code.
func decodeForm(o wire.Object, c otp.Channel) (otp.Form, error) {
	send, ok := o.String("send")
	switch {
	case o.Has("send") && !ok:
		return "", badRequest("bad.send", wrongType("send", o["send"], "string"))
	case ok && send != "link" && send != "code":
		return "", badRequest("bad.send", "error in send - invalid value (expected link or code)")
	case c == otp.SMS || send == "code":
		return otp.FormCode, nil
	}
	return otp.FormLink, nil
}

// requiredText returns a property that must be text, or its documented error.
func requiredText(o wire.Object, name string) (string, error) {
	text, ok := o.String(name)
	switch {
	case o.Has(name) && !ok:
		return "", badRequest("bad."+name, wrongType(name, o[name], "string"))
	case text == "":
		return "", badRequest("bad."+name, "Missing required property: "+name)
	}
	return text, nil
}

// wrongType words a property of the wrong type as Auth0 does.
func wrongType(name string, value any, expected string) string {
	return "error in " + name + " - invalid type: " + jsonType(value) + " (expected " + expected + ")"
}

func jsonType(value any) string {
	switch value.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// maxLanguage is the longest name of a language that is looked at, in bytes.
const maxLanguage = 64

// requestedLanguage returns the language that the caller asks for by name, or
// "".
func requestedLanguage(r *http.Request) string {
	language := r.Header.Get("X-Request-Language")
	if len(language) > maxLanguage {
		return ""
	}
	return language
}
