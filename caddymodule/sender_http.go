// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/sender"
)

func init() { caddy.RegisterModule(HTTPSender{}) }

// HTTPSender hands messages to any provider that takes them by HTTP.
//
// URL, headers and body may hold `{otp.to}`, `{otp.text}`, `{otp.code}`,
// `{otp.link}`, `{otp.subject}`, `{otp.html}`, `{otp.id}` and `{otp.locale}`,
// which are escaped for where they stand.
type HTTPSender struct {
	// The provider's address.
	URL string `json:"url,omitempty"`

	// The request's method. Default: `POST`.
	Method string `json:"method,omitempty"`

	// Further headers, such as Authorization, best with `{env.NAME}`.
	Headers http.Header `json:"headers,omitempty"`

	// The request's body, of the type that the header Content-Type says
	// (default: JSON). Default: a JSON object with id, to, subject, text,
	// html, code, link and locale.
	Body string `json:"body,omitempty"`

	// How an answer says that the message was taken: statuses (`2xx`, `202`)
	// and, after them, optionally a path into its JSON and the value that
	// must be there (`status ok`). Default: `2xx`.
	Success []string `json:"success,omitempty"`

	// The header that carries the message's id, the same on every try.
	// Default: `Idempotency-Key`.
	ID string `json:"id,omitempty"`

	// The countries whose numbers this sender serves. Default: all.
	Countries []string `json:"countries,omitempty"`

	otp.Sender `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (HTTPSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: senderNamespace + ".http", New: func() caddy.Module { return new(HTTPSender) }}
}

// Provision sets the sender up. It doesn't connect.
func (s *HTTPSender) Provision(caddy.Context) error {
	repl := caddy.NewReplacer()
	repl.Map(keepMessagePlaceholders)
	c := sender.HTTP{
		URL:       s.URL,
		Method:    s.Method,
		Headers:   make(http.Header),
		Body:      s.Body,
		ID:        s.ID,
		Countries: s.Countries,
	}
	err := replaceAll(repl, map[string]*string{"http": &c.URL, "http method": &c.Method, "http id": &c.ID})
	if err != nil {
		return err
	}
	if err := replaceList(repl, "http countries", &c.Countries); err != nil {
		return err
	}
	if c.Body, err = replacedAmid(repl, "http body", c.Body); err != nil {
		return err
	}
	for name, values := range s.Headers {
		for _, value := range values {
			value, err := replaced(repl, "http header "+name, value)
			if err != nil {
				return err
			}
			c.Headers.Add(name, value)
		}
	}
	if c.Success, err = sender.ParseSuccess(s.Success...); err != nil {
		return err
	}
	s.Sender, err = sender.NewHTTP(c)
	return err
}

// Channels returns what it can deliver.
func (*HTTPSender) Channels() []otp.Channel { return []otp.Channel{otp.Email, otp.SMS} }

// Exposes reports whether codes show to others.
func (*HTTPSender) Exposes() bool { return false }

// UnmarshalCaddyfile reads
//
//	http <url> {
//		method <method>
//		header <name> <value>
//		body <text>
//		success <status>... [<json path> <value>]
//		id <header>
//		countries <CC>...
//	}
func (s *HTTPSender) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the sender's name
	args := d.RemainingArgs()
	if len(args) != 1 {
		return usage(d, "http", "<url>")
	}
	s.URL = args[0]
	block := newBlockRepeating(d, "header")
	for block.next() {
		var err error
		switch d.Val() {
		case "method":
			s.Method, err = one(d, "<method>")
		case "header":
			err = s.parseHeader(d)
		case "body":
			s.Body, err = one(d, "<text>")
		case "success":
			s.Success, err = oneOrMore(d, "<status>... [<json path> <value>]")
			if err == nil {
				_, err = sender.ParseSuccess(s.Success...)
				err = at(d, err)
			}
		case "id":
			s.ID, err = one(d, "<header>")
		case "countries":
			s.Countries, err = allChecked(d, "<CC>...", checkCountry)
		default:
			err = unknown(d, "method", "header", "body", "success", "id", "countries")
		}
		if err != nil {
			return err
		}
	}
	return block.err
}

func (s *HTTPSender) parseHeader(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return usage(d, "header", "<name> <value>")
	}
	if s.Headers == nil {
		s.Headers = make(http.Header)
	}
	s.Headers.Add(args[0], args[1])
	return noBlock(d, "header")
}

// Interface guards
var (
	_ Sender                = (*HTTPSender)(nil)
	_ caddy.Provisioner     = (*HTTPSender)(nil)
	_ caddyfile.Unmarshaler = (*HTTPSender)(nil)
)
