// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/sender"
)

func init() { caddy.RegisterModule(FileSender{}) }

// FileSender appends messages, codes and all, to a file: one JSON object a
// line. It is for tests: only for sites on a loopback host.
type FileSender struct {
	// The file. It is made readable to its owner only.
	Path string `json:"path,omitempty"`

	// Take it for other sites too, though whoever can read the file can sign
	// in as anybody.
	Insecure bool `json:"insecure,omitempty"`

	otp.Sender `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (FileSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: senderNamespace + ".file", New: func() caddy.Module { return new(FileSender) }}
}

// Provision sets the sender up.
func (s *FileSender) Provision(caddy.Context) (err error) {
	path, err := replaced(caddy.NewReplacer(), "file", s.Path)
	if err != nil {
		return err
	}
	s.Sender, err = sender.NewFile(path)
	return err
}

// Channels returns what it can deliver.
func (*FileSender) Channels() []otp.Channel { return []otp.Channel{otp.Email, otp.SMS} }

// Exposes reports whether codes show to others.
func (s *FileSender) Exposes() bool { return !s.Insecure }

// UnmarshalCaddyfile reads
//
//	file <path> [insecure]
func (s *FileSender) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the sender's name
	args := d.RemainingArgs()
	switch {
	case len(args) == 0:
		return missing(d, "file", "<path> [insecure]")
	case len(args) == 1:
	case len(args) == 2 && args[1] == "insecure":
		s.Insecure = true
	default:
		return usage(d, "file", "<path> [insecure]")
	}
	s.Path = args[0]
	return noBlock(d, "file")
}

// Interface guards
var (
	_ Sender                = (*FileSender)(nil)
	_ caddy.Provisioner     = (*FileSender)(nil)
	_ caddyfile.Unmarshaler = (*FileSender)(nil)
)
