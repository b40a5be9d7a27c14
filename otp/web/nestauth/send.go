// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"net/http"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// sendRequest is the body of POST /auth/passwordless/send.
type sendRequest struct {
	identifier string
	channel    otp.Channel
	tenant     string
}

func decodeSend(body wire.Object) (sendRequest, error) {
	var in sendRequest
	err := checkKeys(body, "identifier", "channel", "tenantId")
	if err != nil {
		return in, err
	}
	if in.identifier, err = text(body, "identifier"); err != nil {
		return in, err
	}
	var ok bool
	if in.channel, ok = channelOf(body["channel"]); !ok {
		return in, invalid("channel must be one of the following values: email, sms")
	}
	if in.tenant, err = tenant(body); err != nil {
		return in, err
	}
	if strings.TrimSpace(in.identifier) == "" {
		return in, errBlankIdentifier
	}
	return in, nil
}

// send issues a code. Its answer says nothing about whom it is for.
func (d *dialect) send(w http.ResponseWriter, r *http.Request) error {
	body, err := wire.Parse(r, wire.JSON)
	if err != nil {
		return err
	}
	if d.SendNeedsToken {
		if _, err := d.authenticate(r); err != nil {
			return err
		}
	}
	in, err := decodeSend(body)
	if err != nil {
		return err
	}
	address, err := d.reachable(in)
	if err != nil {
		return err
	}
	_, err = d.Start(r, otp.StartRequest{Dialect: Name, Address: address, Form: otp.FormCode, Tenant: in.tenant})
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, message{"If an account exists, a login code has been sent"})
	return nil
}

// reachable returns the address to send to.
func (d *dialect) reachable(in sendRequest) (otp.Address, error) {
	malformed, off := "identifier must be an email", errNoEmail
	if in.channel == otp.SMS {
		malformed, off = "identifier must be a valid phone number", errNoPhone
	}
	if !d.Service.HasSender(in.channel) {
		return otp.Address{}, off
	}
	address, err := d.Service.ParseAddress(in.channel, in.identifier)
	if err != nil {
		return otp.Address{}, invalid(malformed)
	}
	return address, nil
}
