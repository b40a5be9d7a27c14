// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-otp/caddy-otp/otp"
)

const senderNamespace = "otp.senders"

// Sender is a guest module in the namespace otp.senders: a way to deliver
// messages, configured.
type Sender interface {
	otp.Sender
	// Channels returns what it can deliver.
	Channels() []otp.Channel
	// Exposes reports whether codes can be read where it delivers to by
	// others than their recipients, such as in a log. It is then taken for
	// loopback sites only.
	Exposes() bool
}

// checkSender refuses names of no sender, and senders for another channel.
func checkSender(name string, channel otp.Channel) error {
	choice := fmt.Sprintf("write one of: %s; `http` fits any provider", strings.Join(sendersOf(channel), ", "))
	switch _, err := caddy.GetModule(senderNamespace + "." + name); {
	case err != nil:
		return fmt.Errorf("%s: unknown sender %q; %s", channel, name, choice)
	case slices.Contains(sendersOf(channel), name):
		return nil
	case name == "smtp":
		return errors.New("sms: smtp delivers e-mails only; `sms http <url>` fits any provider")
	}
	return fmt.Errorf("%s %s: this sender delivers no %s; %s", channel, name, channel, choice)
}

// sendersOf returns the senders that can deliver to a channel.
func sendersOf(channel otp.Channel) []string {
	var names []string
	for _, module := range caddy.GetModules(senderNamespace) {
		if sender, ok := module.New().(Sender); ok && slices.Contains(sender.Channels(), channel) {
			names = append(names, module.ID.Name())
		}
	}
	return names
}

// loadSenders returns a channel's senders from what ctx.LoadModule made of
// their configuration.
func loadSenders(loaded any, channel otp.Channel, loopback bool) ([]otp.Sender, error) {
	modules, ok := loaded.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: senders are %T", channel, loaded)
	}
	var senders []otp.Sender
	for _, module := range modules {
		sender, ok := module.(Sender)
		if !ok {
			return nil, fmt.Errorf("%s: %T is no sender", channel, module)
		}
		name := caddy.GetModuleName(module)
		if err := checkSender(name, channel); err != nil {
			return nil, err
		}
		if sender.Exposes() && !loopback {
			return nil, fmt.Errorf("%s %s shows codes to whoever can read its output, so it is for loopback sites; "+
				"use another sender, or write `insecure` behind it if you know that nobody else can", channel, name)
		}
		senders = append(senders, sender)
	}
	return senders, nil
}
