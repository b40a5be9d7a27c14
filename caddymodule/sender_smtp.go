// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"cmp"
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/sender"
)

func init() { caddy.RegisterModule(SMTPSender{}) }

// SMTPSender hands e-mails to a relay, over TLS.
type SMTPSender struct {
	// The relay, `<host>:<port>`. Default port: 587, or 465 with implicit
	// TLS.
	Host string `json:"host,omitempty"`

	// The user name at the relay.
	Username string `json:"username,omitempty"`

	// The password, best as `{env.NAME}` or `{file.path}`.
	Password string `json:"password,omitempty"`

	// The sender of the mails: `login@example.com`, or with a name
	// `Acme <login@example.com>`. Required.
	From string `json:"from,omitempty"`

	// Where answers to the mails go. Default: to the sender.
	ReplyTo string `json:"reply_to,omitempty"`

	// `required`: STARTTLS with a valid certificate. `implicit`: TLS from the
	// first byte. `opportunistic`: TLS where the relay offers it; a password
	// is still sent only over TLS. Default: `required`.
	TLS string `json:"tls,omitempty"`

	// The name to greet the relay by. Default: this machine's.
	HELO string `json:"helo,omitempty"`

	otp.Sender `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (SMTPSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: senderNamespace + ".smtp", New: func() caddy.Module { return new(SMTPSender) }}
}

// Provision sets the sender up. It doesn't connect.
func (s *SMTPSender) Provision(caddy.Context) error {
	c := sender.SMTP{
		Host:     s.Host,
		Username: s.Username,
		Password: s.Password,
		From:     s.From,
		ReplyTo:  s.ReplyTo,
		HELO:     s.HELO,
		TLS:      sender.TLSMode(s.TLS),
	}
	err := replaceAll(caddy.NewReplacer(), map[string]*string{
		"smtp":          &c.Host,
		"smtp username": &c.Username,
		"smtp password": &c.Password,
		"smtp from":     &c.From,
		"smtp reply_to": &c.ReplyTo,
		"smtp helo":     &c.HELO,
	})
	if err != nil {
		return err
	}
	s.Sender, err = sender.NewSMTP(c)
	return err
}

// Channels returns what it can deliver.
func (*SMTPSender) Channels() []otp.Channel { return []otp.Channel{otp.Email} }

// Exposes reports whether codes show to others.
func (*SMTPSender) Exposes() bool { return false }

// UnmarshalCaddyfile reads
//
//	smtp <host:port> {
//		username <name>
//		password <password>
//		from <address>
//		reply_to <address>
//		tls required|implicit|opportunistic
//		helo <name>
//	}
func (s *SMTPSender) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the sender's name
	var err error
	if s.Host, err = argument(d, "smtp", "<host:port>"); err != nil {
		return err
	}
	if err := unlessPlaceholder(s.Host, checkHost); err != nil {
		return d.WrapErr(err)
	}
	block := newBlockRepeating(d)
	for block.next() {
		var err error
		switch d.Val() {
		case "username":
			s.Username, err = one(d, "<name>")
		case "password":
			s.Password, err = one(d, "<password>")
		case "from":
			s.From, err = checked(d, `"Name <login@example.com>"`, checkFrom)
		case "reply_to":
			s.ReplyTo, err = checked(d, "<address>", checkReplyTo)
		case "tls":
			s.TLS, err = checked(d, "required|implicit|opportunistic", checkTLS)
		case "helo":
			s.HELO, err = checked(d, "<name>", checkHELO)
		default:
			err = unknown(d, "username", "password", "from", "reply_to", "tls", "helo")
		}
		if err != nil {
			return err
		}
	}
	if block.err != nil {
		return block.err
	}
	if s.From == "" {
		return block.opening.at(errors.New("smtp needs the address that mails come from; write `from login@example.com` into its block"))
	}
	given := "username"
	if s.Username == "" {
		given = "password"
	}
	return block.at(given, checkSMTP(sender.SMTP{Username: s.Username, Password: s.Password}))
}

// checkSMTP judges single options, amid made up ones where they are required.
func checkSMTP(c sender.SMTP) error {
	c.Host = cmp.Or(c.Host, "mail.example.com")
	c.From = cmp.Or(c.From, "login@example.com")
	_, err := sender.NewSMTP(c)
	return err
}

func checkHost(host string) error     { return checkSMTP(sender.SMTP{Host: host}) }
func checkFrom(from string) error     { return checkSMTP(sender.SMTP{From: from}) }
func checkReplyTo(reply string) error { return checkSMTP(sender.SMTP{ReplyTo: reply}) }
func checkHELO(name string) error     { return checkSMTP(sender.SMTP{HELO: name}) }

func checkTLS(mode string) error {
	return checkWord("tls", mode, string(sender.TLSRequired), string(sender.TLSImplicit), string(sender.TLSOpportunistic))
}

// Interface guards
var (
	_ Sender                = (*SMTPSender)(nil)
	_ caddy.Provisioner     = (*SMTPSender)(nil)
	_ caddyfile.Unmarshaler = (*SMTPSender)(nil)
)
