// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/portal"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// browserField names the browser that answers, so that it may repeat.
const browserField = "browser"

// codeRedirect is a code in a browser's address, for a client.
type codeRedirect struct {
	authorization
	channel otp.Channel
	address otp.Address
	code    string
}

// serveVerifyRedirect answers GET /passwordless/verify_redirect: it asks whether
// to sign in. It uses nothing up and opens nothing: mail scanners come here too,
// and so could any page send its visitors here with a code of its own.
func (d *Dialect) serveVerifyRedirect(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	c, err := d.decodeRedirect(r, query)
	if err != nil {
		return d.refuseBrowser(w, r, err)
	}
	if c.address.IsZero() {
		d.refuseClient(w, r, c.authorization, errRedirectCode)
		return nil
	}
	if err := c.check(d); err != nil {
		d.refuseClient(w, r, c.authorization, err)
		return nil
	}
	fields := c.query()
	if !c.named {
		fields.Del("redirect_uri")
	}
	fields.Set(clientParameter, c.client.ID)
	fields.Set("connection", string(c.channel))
	fields.Set(addressParameter(c.channel), query.Get(addressParameter(c.channel)))
	fields.Set("verification_code", c.code)
	fields.Set(browserField, d.Pages.NewBrowser())
	d.Pages.Ask(w, r, portal.Question{SignIn: c.address, Action: verifyRedirectPath, Fields: fields})
	return nil
}

// errRedirectCode is what the client hears of a code that isn't right, whatever
// is wrong with it.
var errRedirectCode = refuse(http.StatusUnauthorized, "unauthorized", errExpired.Description)

// redeemVerifyRedirect answers its form: the code is redeemed, the browser signed
// in, and the client gets what it asks for.
func (d *Dialect) redeemVerifyRedirect(w http.ResponseWriter, r *http.Request) error {
	if err := d.ownPage(r); err != nil {
		return err
	}
	form, err := wire.Parse(r, wire.Form)
	if err != nil {
		return err
	}
	c, err := d.decodeRedirect(r, formValues(form))
	if err != nil {
		return d.refuseBrowser(w, r, err)
	}
	if err := c.check(d); err != nil {
		d.refuseClient(w, r, c.authorization, err)
		return nil
	}
	if c.address.IsZero() {
		d.refuseClient(w, r, c.authorization, errRedirectCode)
		return nil
	}
	v, err := d.Verify(r, otp.VerifyRequest{
		Presented: otp.Presented{Lifetime: d.SessionLifetime, Browser: form.Text(browserField)},
		Dialect:   Name,
		Client:    c.client.ID,
		Address:   c.address,
		Code:      c.code,
	})
	switch {
	case errors.Is(err, otp.ErrWrong), errors.Is(err, otp.ErrExpired):
		err = errRedirectCode
	case errors.Is(err, otp.ErrExhausted), errors.Is(err, otp.ErrCoolDown):
		err = refuse(http.StatusUnauthorized, errRedirectCode.Code, maxAttempts)
	}
	if err != nil {
		d.refuseClient(w, r, c.authorization, err)
		return nil
	}
	v.Session.Temporary = !d.Pages.OwnDevice(form)
	d.Pages.SignIn(w, r, v.Session)
	d.finish(w, r, c.authorization, v.Session)
	return nil
}

// decodeRedirect reads a code and whom it is for. Its errors are for the person
// alone. The address is zero where it can't be one.
func (d *Dialect) decodeRedirect(r *http.Request, values url.Values) (codeRedirect, error) {
	a, err := d.decodeAuthorization(r, values)
	if err != nil {
		return codeRedirect{}, err
	}
	a.errorsInFragment = true
	c := codeRedirect{authorization: a, channel: otp.Channel(values.Get("connection")), code: values.Get("verification_code")}
	if c.channel != otp.Email && c.channel != otp.SMS {
		return c, nil
	}
	if address, err := d.Service.ParseAddress(c.channel, values.Get(addressParameter(c.channel))); err == nil {
		c.address = address
	}
	return c, nil
}

// formValues are a form's fields as a browser's address has them.
func formValues(form wire.Object) url.Values {
	values := make(url.Values, len(form))
	for name := range form {
		values.Set(name, form.Text(name))
	}
	return values
}
