// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"os"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/sender"
)

func init() { caddy.RegisterModule(LogSender{}) }

// LogSender prints messages, codes and all, on standard error. It is for
// trying things out: only for sites on a loopback host.
type LogSender struct {
	// Take it for other sites too, though whoever can read the output can
	// sign in as anybody.
	Insecure bool `json:"insecure,omitempty"`

	otp.Sender `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (LogSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: senderNamespace + ".log", New: func() caddy.Module { return new(LogSender) }}
}

// Provision sets the sender up.
func (s *LogSender) Provision(caddy.Context) error {
	s.Sender = sender.NewLog(os.Stderr)
	return nil
}

// Channels returns what it can deliver.
func (*LogSender) Channels() []otp.Channel { return []otp.Channel{otp.Email, otp.SMS} }

// Exposes reports whether codes show to others.
func (s *LogSender) Exposes() bool { return !s.Insecure }

// UnmarshalCaddyfile reads
//
//	log [insecure]
func (s *LogSender) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the sender's name
	switch args := d.RemainingArgs(); {
	case len(args) == 1 && args[0] == "insecure":
		s.Insecure = true
	case len(args) > 0:
		return usage(d, "log", "[insecure]")
	}
	return noBlock(d, "log")
}

// Interface guards
var (
	_ Sender                = (*LogSender)(nil)
	_ caddy.Provisioner     = (*LogSender)(nil)
	_ caddyfile.Unmarshaler = (*LogSender)(nil)
)
