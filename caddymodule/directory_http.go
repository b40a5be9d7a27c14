// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/directory"
)

func init() { caddy.RegisterModule(HTTPDirectory{}) }

// The longest that can be configured: who is removed stays in for as long as
// the cache, and who signs in waits for the timeout.
const (
	maxDirectoryCache   = time.Hour
	maxDirectoryTimeout = 10 * time.Second
)

// HTTPDirectory asks a service who may sign in.
//
// It is asked with a POST of `{"channel": "email", "address":
// "alice@example.com"}` and answers 200 with a JSON object of the person, which
// may have the keys `email`, `phone`, `groups`, `subject`, `tenant` and `mfa`,
// or 404 where nobody has the address. While it fails, its last answers serve
// for up to 24 hours, and nobody new can sign in.
type HTTPDirectory struct {
	// The service's address: `https://`, or `http://` where the host is this
	// machine or in a private network.
	URL string `json:"url,omitempty"`

	// Further headers, such as Authorization, best with `{env.NAME}`.
	Headers http.Header `json:"headers,omitempty"`

	// How long an answer is taken without asking anew, at most an hour: who
	// is removed from the directory stays in for as long. Default: `30s`.
	Cache caddy.Duration `json:"cache,omitempty"`

	// How long the service may take to answer, at most 10 seconds. Default:
	// `2s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	otp.Asker `json:"-"`

	service *directory.HTTP
}

// CaddyModule returns the Caddy module information.
func (HTTPDirectory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: directoryNamespace + ".http", New: func() caddy.Module { return new(HTTPDirectory) }}
}

// Provision sets the directory up. It doesn't connect.
func (h *HTTPDirectory) Provision(ctx caddy.Context) error {
	if err := h.checkDurations(); err != nil {
		return err
	}
	repl := caddy.NewReplacer()
	url, err := replaced(repl, "directory http", h.URL)
	if err != nil {
		return err
	}
	headers, err := replacedHeaders(repl, "directory http header", h.Headers)
	if err != nil {
		return err
	}
	service, err := newDirectoryHTTP(directory.HTTPConfig{
		URL:     url,
		Headers: headers,
		Cache:   time.Duration(h.Cache),
		Timeout: time.Duration(h.Timeout),
		Logger:  ctx.Slogger(),
	})
	if err != nil {
		return err
	}
	h.service, h.Asker = service, service
	return nil
}

func (h *HTTPDirectory) checkDurations() error {
	var g given
	g.duration("directory http cache", h.Cache, maxDirectoryCache)
	g.duration("directory http timeout", h.Timeout, maxDirectoryTimeout)
	return g.err
}

// Cleanup ends what Provision began, as far as it came.
func (h *HTTPDirectory) Cleanup() error {
	if h.service != nil {
		h.service.Stop()
	}
	return nil
}

// UnmarshalCaddyfile reads
//
//	http <url> {
//		header <name> <value>
//		cache <duration>
//		timeout <duration>
//	}
func (h *HTTPDirectory) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directory's kind
	var err error
	if h.URL, err = parseURL(d, "directory http", checkDirectoryURL); err != nil {
		return err
	}
	block := newBlockRepeating(d, "header")
	for block.next() {
		var err error
		switch d.Val() {
		case "header":
			err = parseHeader(d, &h.Headers, checkDirectoryHeaders)
		case "cache":
			h.Cache, err = duration(d, "directory http", maxDirectoryCache)
		case "timeout":
			h.Timeout, err = duration(d, "directory http", maxDirectoryTimeout)
		default:
			err = unknown(d, "header", "cache", "timeout")
		}
		if err != nil {
			return err
		}
	}
	return block.err
}

func checkDirectoryURL(url string) error {
	return unlessPlaceholder(url, func(url string) error { return checkDirectoryHTTP(directory.HTTPConfig{URL: url}) })
}

// checkDirectoryHeaders judges placeholders as the text that they are: it can
// stand in any header.
func checkDirectoryHeaders(headers http.Header) error {
	return checkDirectoryHTTP(directory.HTTPConfig{Headers: headers})
}

// checkDirectoryHTTP judges single options amid made up ones.
func checkDirectoryHTTP(c directory.HTTPConfig) error {
	c.URL = cmp.Or(c.URL, "https://api.example.com")
	d, err := newDirectoryHTTP(c)
	if err == nil {
		d.Stop()
	}
	return err
}

func newDirectoryHTTP(c directory.HTTPConfig) (*directory.HTTP, error) {
	d, err := directory.NewHTTP(c)
	if err != nil {
		return nil, fmt.Errorf("directory http: %w", err)
	}
	return d, nil
}

// Interface guards
var (
	_ otp.Directory         = (*HTTPDirectory)(nil)
	_ caddy.Provisioner     = (*HTTPDirectory)(nil)
	_ caddy.CleanerUpper    = (*HTTPDirectory)(nil)
	_ caddyfile.Unmarshaler = (*HTTPDirectory)(nil)
)
