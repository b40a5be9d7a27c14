// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"cmp"
	"io"
	"maps"
	"net/http"
	"slices"

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
	// The provider's address: `https://`, or `http://` where the host is this
	// machine or in a private network.
	URL string `json:"url,omitempty"`

	// The request's method. Default: `POST`.
	Method string `json:"method,omitempty"`

	// Further headers, such as Authorization, best with `{env.NAME}`.
	Headers http.Header `json:"headers,omitempty"`

	// The request's body, of the type that the header Content-Type says
	// (default: JSON). Default: a JSON object with id, to, subject, text,
	// html, code, link and locale. It, the address or a header must hold what
	// a recipient signs in with: text, html, code or link.
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
	c, err := s.config()
	if err != nil {
		return err
	}
	s.Sender, err = sender.NewHTTP(c)
	return err
}

// Cleanup ends the connections to the provider: after a reload the new
// config's sender has its own.
func (s *HTTPSender) Cleanup() error {
	if closer, ok := s.Sender.(io.Closer); ok {
		return closer.Close()
	}
	return nil // Provision didn't come so far
}

// config returns the options with the values of their placeholders.
func (s *HTTPSender) config() (sender.HTTP, error) {
	repl := caddy.NewReplacer()
	repl.Map(keepMessagePlaceholders)
	c := sender.HTTP{
		URL:       s.URL,
		Method:    s.Method,
		Body:      s.Body,
		ID:        s.ID,
		Countries: s.Countries,
	}
	err := replaceAll(repl, map[string]*string{"http": &c.URL, "http method": &c.Method, "http id": &c.ID})
	if err != nil {
		return c, err
	}
	if err := replaceList(repl, "http countries", &c.Countries); err != nil {
		return c, err
	}
	if c.Body, err = replacedAmid(repl, "http body", c.Body); err != nil {
		return c, err
	}
	if c.Headers, err = replacedHeaders(repl, "http header", s.Headers); err != nil {
		return c, err
	}
	c.Success, err = sender.ParseSuccess(s.Success...)
	return c, err
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
	var err error
	if s.URL, err = parseURL(d, "http", checkSenderURL); err != nil {
		return err
	}
	block := newBlockRepeating(d, "header")
	for block.next() {
		var err error
		switch d.Val() {
		case "method":
			s.Method, err = checked(d, "<method>", checkMethod)
		case "header":
			err = parseHeader(d, &s.Headers, checkSenderHeaders)
		case "body":
			err = s.parseBody(d)
		case "success":
			s.Success, err = oneOrMore(d, "<status>... [<json path> <value>]")
			if err == nil {
				_, err = sender.ParseSuccess(s.Success...)
				err = at(d, err)
			}
		case "id":
			s.ID, err = checked(d, "<header>", checkID)
		case "countries":
			s.Countries, err = allChecked(d, "<CC>...", checkCountry)
		default:
			err = unknown(d, "method", "header", "body", "success", "id", "countries")
		}
		if err != nil {
			return err
		}
	}
	if block.err != nil {
		return block.err
	}
	return block.at("body", s.checkBody())
}

func (s *HTTPSender) parseBody(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 1 || args[0] == "" {
		return d.Err("a body is one text between backquotes; write body `{\"to\": \"{otp.to}\", \"text\": \"{otp.text}\"}`")
	}
	s.Body = args[0]
	return noBlock(d, "body")
}

// checkHTTP judges single options that are known, amid made up ones.
func checkHTTP(s HTTPSender) error {
	s.URL = cmp.Or(s.URL, "https://api.example.com")
	s.Body = cmp.Or(s.Body, `"{otp.text}"`)
	return s.check()
}

func checkMethod(method string) error {
	if method == http.MethodGet {
		return nil // takes no body, not even one that is made up
	}
	return checkHTTP(HTTPSender{Method: method})
}

func checkSenderURL(url string) error        { return checkHTTP(HTTPSender{URL: url}) }
func checkSenderHeaders(h http.Header) error { return checkHTTP(HTTPSender{Headers: h}) }

func checkID(header string) error { return checkHTTP(HTTPSender{ID: header}) }

// checkBody judges the body by the method and the type that it is sent with,
// as far as they are known.
func (s *HTTPSender) checkBody() error {
	whole := HTTPSender{URL: s.URL, Method: s.Method, Headers: make(http.Header), Body: s.Body}
	if !isKnown(s.URL) {
		whole.URL = "https://api.example.com/{otp.text}" // may hold the code
	}
	for name, values := range s.Headers {
		for _, value := range values {
			if isKnown(value) {
				whole.Headers.Add(name, value)
			} else if http.CanonicalHeaderKey(name) == "Content-Type" {
				return nil
			}
		}
	}
	return whole.check()
}

// check judges options unless one of them is known only at run time.
func (s *HTTPSender) check() error {
	for _, text := range slices.Concat([]string{s.URL, s.Method, s.ID, s.Body}, slices.Concat(slices.Collect(maps.Values(s.Headers))...)) {
		if !isKnown(text) {
			return nil
		}
	}
	c, err := s.config()
	if err != nil {
		return err
	}
	_, err = sender.NewHTTP(c)
	return err
}

// Interface guards
var (
	_ Sender                = (*HTTPSender)(nil)
	_ caddy.Provisioner     = (*HTTPSender)(nil)
	_ caddy.CleanerUpper    = (*HTTPSender)(nil)
	_ caddyfile.Unmarshaler = (*HTTPSender)(nil)
)
