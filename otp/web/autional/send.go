// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// decodeSend reads the body of POST /auth/send-login-code: either an e-mail
// address or a phone number.
func (d *dialect) decodeSend(body wire.Object) (otp.Address, error) {
	f := reader{body: body}
	var address otp.Address
	switch hasPhone := body.Has("phone"); {
	case hasPhone && body.Has("email"):
		f.text("email")
		f.text("phone")
		f.refuse("email", "conflict")
	case hasPhone:
		address = d.reachable(&f, otp.SMS)
	default:
		address = d.reachable(&f, otp.Email)
	}
	f.only("email", "phone")
	return address, f.err()
}

// reachable is the address of a channel that there is a sender for.
func (d *dialect) reachable(f *reader, c otp.Channel) otp.Address {
	if field := fieldOf(c); f.body.Has(field) && !d.Service.HasSender(c) {
		f.refuse(field, "unsupported")
		return otp.Address{}
	}
	return f.address(d.Service, c)
}

// sent is what the answer to a start says: nothing that the caller didn't.
type sent struct {
	Channel   otp.Channel `json:"channel"`
	ExpiresIn int         `json:"expires_in"`
	Target    string      `json:"target"`
}

// send issues a code.
func (d *dialect) send(w http.ResponseWriter, r *http.Request) error {
	body, err := wire.Parse(r, wire.JSON)
	if err != nil {
		return err
	}
	address, err := d.decodeSend(body)
	if err != nil {
		return err
	}
	tenant, err := tenantOf(r, "")
	if err != nil {
		return err
	}
	started, err := d.Start(r, otp.StartRequest{Dialect: Name, Address: address, Form: otp.FormCode, Tenant: tenant})
	if err != nil {
		return err
	}
	d.succeed(w, "verification code sent", sent{
		Channel:   address.Channel(),
		ExpiresIn: int(started.Lifetime / time.Second),
		Target:    address.Masked(),
	})
	return nil
}
