// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
)

// siteOptions are the words of a site's block, for the error of an unknown one.
var siteOptions = []string{
	"public_url", "path", "api", "protect", "public", "require_mfa", "allow", "deny", "directory", "email", "sms", "sms_countries",
	"default_country", "send", "code", "throttle", "session", "token", "mfa", "header", "assertion",
}

// parse reads one site option, whose word the dispenser is at, and judges
// it as far as it can be without its placeholders' values.
func (o *Options) parse(d *caddyfile.Dispenser) (err error) {
	switch d.Val() {
	case "public_url":
		o.PublicURL, err = checked(d, "https://app.example.com", checkPublicURL)
		if err == nil && o.Session != nil {
			err = at(d, o.Session.checkSite(o.PublicURL))
		}
	case "path":
		o.Path, err = checked(d, "/.otp", checkPagesPath)
	case "api":
		err = o.parseAPI(d)
	case "protect":
		err = o.parseProtect(d)
	case "public":
		o.Public, err = allChecked(d, "<path>...", of("public", checkRulePath))
		if err == nil {
			err = at(d, checkRules(o.Protect, o.Public))
		}
		if err == nil {
			err = at(d, checkFactorRules(o.RequireMFA, o.Public))
		}
	case "require_mfa":
		err = o.parseRequireMFA(d)
	case "allow":
		o.Allow, err = allChecked(d, "<pattern>...", of("allow", checkPattern))
	case "deny":
		o.Deny, err = allChecked(d, "<pattern>...", of("deny", checkPattern))
	case "directory":
		o.DirectoryRaw, err = parseDirectory(d)
	case "email":
		err = parseSender(d, otp.Email, &o.EmailRaw)
	case "sms":
		err = parseSender(d, otp.SMS, &o.SMSRaw)
	case "sms_countries":
		o.SMSCountries, err = allChecked(d, "<CC>...", checkCountry)
	case "default_country":
		o.DefaultCountry, err = checked(d, "<CC>", checkCountry)
	case "send":
		o.Send, err = checked(d, "code|link|both", checkSend)
	case "code":
		o.Code, err = parseCode(d)
	case "throttle":
		err = o.parseThrottle(d)
	case "session":
		o.Session, err = parseSession(d, o.PublicURL)
	case "token":
		o.Token, err = parseToken(d)
	case "mfa":
		o.MFA, err = parseMFA(d)
	case "header":
		err = o.parseHeader(d)
	case "assertion":
		o.Assertion, err = one(d, "<Name>")
		if err == nil {
			err = at(d, o.checkHeaders())
		}
	default:
		err = unknown(d, siteOptions...)
	}
	return err
}

// checked reads one argument and judges it, unless it is known only at run
// time.
func checked(d *caddyfile.Dispenser, arguments string, check func(string) error) (string, error) {
	text, err := one(d, arguments)
	if err != nil || isPlaceholder(text) {
		return text, err
	}
	return text, at(d, check(text))
}

func allChecked(d *caddyfile.Dispenser, arguments string, check func(string) error) ([]string, error) {
	texts, err := oneOrMore(d, arguments)
	if err != nil {
		return nil, err
	}
	for _, text := range texts {
		if isPlaceholder(text) {
			continue
		}
		if err := check(text); err != nil {
			return nil, d.WrapErr(err)
		}
	}
	return texts, nil
}

// parseAPI reads
//
//	api nestauth|autional|auth0|none {
//		exclusive
//		origin <url>...
//		send_requires token
//		service <name>
//		development
//		client <id> {
//			...
//		}
//		connection email|sms
//		default_audience <aud>
//	}
func (o *Options) parseAPI(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return usage(d, "api", "nestauth|autional|auth0|none")
	}
	api := API{Name: d.Val()}
	if d.NextArg() {
		return d.Errf("api takes one name; remove %q", d.Val())
	}
	line := placeOf(d)
	words := []string{"exclusive", "origin"}
	switch api.Name {
	case "autional":
		words = append(words, "service", "development")
	case "auth0":
		words = append(words, "client", "connection", "default_audience")
	case "nestauth":
		words = append(words, "send_requires")
	}
	block := newBlockRepeating(d, "client")
	for block.next() {
		var err error
		switch d.Val() {
		case "exclusive":
			api.Exclusive, err = true, none(d)
		case "origin":
			api.Origins, err = allChecked(d, "<url>...", checkOrigin)
		case "send_requires":
			if api.Name != "nestauth" {
				return d.Errf("only api nestauth has send_requires; remove this one")
			}
			api.SendRequires, err = checked(d, "token", checkSendRequires)
		case "service":
			if api.Service, err = checked(d, "<name>", checkServiceName); err == nil {
				err = at(d, api.checkProblems())
			}
		case "development":
			if api.Development, err = true, none(d); err == nil {
				err = at(d, api.checkProblems())
			}
		case "client":
			if api.Name != "auth0" {
				return d.Errf("only api auth0 has clients; remove this one")
			}
			err = api.parseClient(d)
		case "connection":
			if api.Name != "auth0" {
				return unknown(d, words...)
			}
			api.Connections, err = allChecked(d, "email|sms", checkConnection)
		case "default_audience":
			if api.Name != "auth0" {
				return unknown(d, words...)
			}
			api.DefaultAudience, err = checked(d, "<aud>", of("default_audience", checkAudience))
		default:
			err = unknown(d, words...)
		}
		if err != nil {
			return err
		}
	}
	if block.err != nil {
		return block.err
	}
	o.APIs = append(o.APIs, api)
	return line.at(checkAPIs(o.APIs))
}

// parseCode reads
//
//	code {
//		length <digits>
//		lifetime <duration>
//		sms_lifetime <duration>
//		attempts <n>
//		keep <n>
//	}
func parseCode(d *caddyfile.Dispenser) (*Code, error) {
	if d.NextArg() {
		return nil, d.Errf("code takes a block, no argument; remove %q", d.Val())
	}
	code := new(Code)
	block := newBlockRepeating(d)
	for block.next() {
		var err error
		switch d.Val() {
		case "length":
			code.Length, err = number(d, "code", otp.MinCodeLength, otp.MaxCodeLength)
		case "lifetime":
			code.Lifetime, err = duration(d, "code", otp.MaxCodeLifetime)
		case "sms_lifetime":
			code.SMSLifetime, err = duration(d, "code", otp.MaxCodeLifetime)
		case "attempts":
			code.Attempts, err = number(d, "code", 1, otp.MaxAttempts)
		case "keep":
			code.Keep, err = number(d, "code", 1, otp.MaxKeep)
		default:
			err = unknown(d, "length", "lifetime", "sms_lifetime", "attempts", "keep")
		}
		if err != nil {
			return nil, err
		}
	}
	return code, block.err
}

// parseThrottle reads `throttle address|client_ip|global <events> <window>` or
// `throttle exempt <cidr>...`.
func (o *Options) parseThrottle(d *caddyfile.Dispenser) error {
	const arguments = "address|client_ip|global <events> <window>"
	args := d.RemainingArgs()
	if len(args) > 0 && args[0] == exemptWord {
		return o.parseExempt(d, args[1:])
	}
	if len(args) != 3 {
		return d.Errf("write `throttle %s` or `throttle %s`; throttles can't be turned off", arguments, exemptArguments)
	}
	if err := checkWord("throttle", args[0], append(slices.Clone(scopes), exemptWord)...); err != nil {
		return d.WrapErr(err)
	}
	events, err := strconv.Atoi(args[1])
	if err != nil {
		return d.Errf("throttle %s: %q is no whole number; write `throttle %s`", args[0], args[1], arguments)
	}
	window, err := parseDuration(d, "throttle "+args[0], args[2])
	if err != nil {
		return err
	}
	throttle := Throttle{Scope: args[0], Events: events, Window: window}
	o.Throttles = append(o.Throttles, throttle)
	if err := checkThrottles(o.Throttles); err != nil {
		return d.WrapErr(err)
	}
	return noBlock(d, "throttle")
}

// parseSession reads
//
//	session {
//		lifetime <duration>
//		idle <duration>
//		domain <domain>
//		cookie <name>
//	}
//
// and judges what of it depends on the site's address, if that is known yet.
func parseSession(d *caddyfile.Dispenser, publicURL string) (*Session, error) {
	if d.NextArg() {
		return nil, d.Errf("session takes a block, no argument; remove %q", d.Val())
	}
	session := new(Session)
	block := newBlockRepeating(d)
	for block.next() {
		var err error
		switch d.Val() {
		case "lifetime":
			session.Lifetime, err = duration(d, "session", maxSessionLifetime)
		case "idle":
			session.Idle, err = duration(d, "session", maxSessionLifetime)
		case "domain":
			session.Domain, err = one(d, "<domain>")
		case "cookie":
			session.Cookie, err = one(d, "<name>")
		default:
			err = unknown(d, "lifetime", "idle", "domain", "cookie")
		}
		if err == nil {
			err = at(d, session.check())
		}
		if err != nil {
			return nil, err
		}
	}
	if block.err != nil {
		return nil, block.err
	}
	if err := block.at("idle", session.checkIdle()); err != nil {
		return nil, err
	}
	cause := "domain"
	if session.Domain == "" {
		cause = "cookie"
	}
	return session, block.at(cause, session.checkSite(publicURL))
}

// parseToken reads
//
//	token {
//		lifetime <duration>
//		refresh <duration>
//	}
func parseToken(d *caddyfile.Dispenser) (*Token, error) {
	if d.NextArg() {
		return nil, d.Errf("token takes a block, no argument; remove %q", d.Val())
	}
	token := new(Token)
	block := newBlockRepeating(d)
	for block.next() {
		var err error
		switch d.Val() {
		case "lifetime":
			token.Lifetime, err = duration(d, "token", maxSessionLifetime)
		case "refresh":
			token.Refresh, err = duration(d, "token", maxSessionLifetime)
		default:
			err = unknown(d, "lifetime", "refresh")
		}
		if err != nil {
			return nil, err
		}
	}
	return token, block.err
}

// parseSender reads `email|sms <sender> [<args>...]` by the sender's module.
func parseSender(d *caddyfile.Dispenser, channel otp.Channel, senders *[]json.RawMessage) error {
	if !d.NextArg() {
		return d.Errf("write `%s <sender> [<args>...]`; the senders are: %s", channel, strings.Join(sendersOf(channel), ", "))
	}
	name := d.Val()
	if err := checkSender(name, channel); err != nil {
		return d.WrapErr(err)
	}
	module, err := caddyfile.UnmarshalModule(d, senderNamespace+"."+name)
	if err != nil {
		return err
	}
	*senders = append(*senders, caddyconfig.JSONModuleObject(module, "sender", name, nil))
	return nil
}

// parseStore reads `store <kind> [<args>...]` by the store's module.
func parseStore(d *caddyfile.Dispenser) (json.RawMessage, error) {
	if !d.NextArg() {
		return nil, usage(d, "store", "bolt [<file>]` or `store redis <url>...")
	}
	kind := d.Val()
	if kind != "bolt" && kind != "redis" {
		return nil, d.Errf("unknown store %q; write `store bolt [<file>]` or `store redis <url>...`", kind)
	}
	module, err := caddyfile.UnmarshalModule(d, storeNamespace+"."+kind)
	if err != nil {
		return nil, err
	}
	return caddyconfig.JSONModuleObject(module, "store", kind, nil), nil
}
