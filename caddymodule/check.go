// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/net/idna"

	"github.com/caddy-otp/caddy-otp/otp"
)

// The checks of single options. The Caddyfile's parser calls them for the
// sake of file and line, Provision for configurations that come as JSON and
// for the values of placeholders.

const (
	maxSessionLifetime  = 365 * 24 * time.Hour
	maxThrottleEvents   = 1_000_000
	maxThrottleWindow   = 30 * 24 * time.Hour
	maxThrottlesOfScope = 4
	maxServiceName      = 64
)

// of makes a check's errors begin with the option's name.
func of(option string, check func(string) error) func(string) error {
	return func(text string) error {
		if err := check(text); err != nil {
			return fmt.Errorf("%s: %w", option, err)
		}
		return nil
	}
}

func checkPublicURL(text string) error {
	_, err := parsePublicURL(text)
	return err
}

// parsePublicURL reads a site's own address.
func parsePublicURL(text string) (*url.URL, error) {
	u, err := parseOrigin(text)
	if err != nil {
		return nil, fmt.Errorf("public_url %q: %w; write the site's address, such as https://app.example.com", text, err)
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return nil, fmt.Errorf("public_url %q: plain http is for loopback hosts only; write https://%s", text, u.Host)
	}
	return u, nil
}

func checkOrigin(text string) error {
	if _, err := parseOrigin(text); err != nil {
		return fmt.Errorf("origin %q: %w; write scheme and host, such as https://spa.example.com", text, err)
	}
	return nil
}

// parseOrigin reads a web origin: scheme, host and, where it isn't the
// scheme's own, port. One slash at the end is dropped.
func parseOrigin(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("it must begin with https:// or http://")
	case u.Hostname() == "" || strings.HasSuffix(u.Host, ":") || u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("it must be a host without path, query or user")
	case strings.Contains(u.Host, "*"):
		return nil, errors.New("it must be one host, without *")
	}
	host, err := asciiHost(u.Host)
	if err != nil {
		return nil, errors.New("its host is no domain")
	}
	if standard := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; strings.HasSuffix(host, standard) {
		host = strings.TrimSuffix(host, standard)
	}
	return &url.URL{Scheme: u.Scheme, Host: host}, nil
}

// asciiHost returns a host as browsers write it.
func asciiHost(host string) (string, error) {
	host = strings.ToLower(host)
	if !strings.ContainsFunc(host, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return host, nil
	}
	name, port, withPort := strings.Cut(host, ":")
	name, err := idna.Lookup.ToASCII(name)
	if err != nil || !withPort {
		return name, err
	}
	return name + ":" + port, nil
}

// isLoopback reports whether a host is this machine for sure: localhost, all
// below it, 127.0.0.0/8 and ::1.
func isLoopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func checkPagesPath(path string) error {
	if len(path) < 2 || checkRulePath(path) != nil || strings.HasSuffix(path, "/") || path != strings.ToLower(path) {
		return fmt.Errorf("path %q: write a path in lower case without a slash at its end, such as /.otp", path)
	}
	return nil
}

func checkRulePath(path string) error {
	if strings.HasPrefix(path, groupPrefix) {
		return fmt.Errorf("%s is no path; groups stand behind the paths of a protect line, as in `protect /admin group:admins`", path)
	}
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("%q is no path; it must begin with a slash, such as /admin", path)
	}
	if strings.Contains(strings.TrimSuffix(path, "/*"), "*") {
		return fmt.Errorf("%q: a path covers all below it; write it without *", path)
	}
	if strings.ContainsAny(path, `?#;\%`) || strings.Contains(path, "//") || strings.Contains(path+"/", "/./") || strings.Contains(path+"/", "/../") {
		return fmt.Errorf("%q can't be used as a path; write it decoded and clean, without //, /./, /../ and any of ? # ; \\ %%", path)
	}
	return nil
}

// checkReachable refuses patterns that leave nobody who could get a code.
func (o *Options) checkReachable() error {
	isMail := func(pattern string) bool { return !strings.HasPrefix(pattern, "+") }
	if len(o.Allow) > 0 && !slices.ContainsFunc(o.Allow, isMail) && len(o.SMSRaw) == 0 {
		return errors.New("allow has phone numbers only and the site sends no SMS, so nobody could sign in; write `sms <sender>`, or allow e-mail addresses such as *@example.com")
	}
	return nil
}

// checkSecret judges a secret by its length. The error holds nothing of it.
func checkSecret(secret string) error {
	if len(secret) < otp.MinSecretLength {
		return fmt.Errorf("secret has %d bytes; at least %d are needed; make one with `openssl rand -base64 32`", len(secret), otp.MinSecretLength)
	}
	return nil
}

func checkPattern(text string) error {
	_, err := otp.ParsePattern(text)
	return err
}

func checkCountry(code string) error {
	meant := strings.ToUpper(code)
	if meant == "UK" {
		meant = "GB"
	}
	if meant != code && otp.IsCountry(meant) {
		return fmt.Errorf("country %q is unknown; write %s", code, meant)
	}
	if !otp.IsCountry(code) {
		return fmt.Errorf("country %q is unknown; write ISO 3166 codes in capitals, such as DE or US", code)
	}
	return nil
}

func checkSend(form string) error {
	return checkWord("send", form, string(otp.FormCode), string(otp.FormLink), string(otp.FormBoth))
}

func checkSendRequires(what string) error {
	return checkWord("send_requires", what, "token")
}

func checkWord(option, word string, words ...string) error {
	if !slices.Contains(words, word) {
		return fmt.Errorf("%s: unknown %q; write one of: %s", option, word, strings.Join(words, ", "))
	}
	return nil
}

var apiNames = []string{"nestauth", "autional", "auth0", "none"}

func checkAPIs(apis []API) error {
	seen := make(map[string]bool)
	for _, api := range apis {
		if err := checkWord("api", api.Name, apiNames...); err != nil {
			return err
		}
		if seen[api.Name] {
			return fmt.Errorf("api %s stands twice; put its options into one block", api.Name)
		}
		seen[api.Name] = true
		if err := api.check(); err != nil {
			return err
		}
	}
	if seen["none"] && (len(apis) > 1 || apis[0].Exclusive || len(apis[0].Origins) > 0) {
		return errors.New("api none turns every API off; remove the other `api` lines, and its block")
	}
	return nil
}

// checkServiceName takes what every log and dashboard can show.
func checkServiceName(name string) error {
	if len(name) > maxServiceName || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return fmt.Errorf("service %q: write a name of up to %d characters of ASCII without blanks, such as identity-service", name, maxServiceName)
	}
	return nil
}

// checkProblems judges the options of problem details.
func (api API) checkProblems() error {
	switch {
	case api.Name != "autional" && api.Service != "":
		return errors.New("only api autional has a service; remove it")
	case api.Name != "autional" && api.Development:
		return errors.New("only api autional has development; remove it")
	case api.Service == "":
		return nil
	}
	return unlessPlaceholder(api.Service, checkServiceName)
}

func (api API) check() error {
	if err := api.checkProblems(); err != nil {
		return err
	}
	if api.Name == "auth0" && len(api.Clients) == 0 {
		return errors.New("api auth0 needs a client; write `client <id>` into its block")
	}
	if api.Name != "auth0" && len(api.Clients) > 0 {
		return errors.New("only api auth0 has clients; remove them")
	}
	if api.Name != "nestauth" && api.SendRequires != "" {
		return errors.New("only api nestauth has send_requires; remove it")
	}
	if api.SendRequires != "" {
		if err := unlessPlaceholder(api.SendRequires, checkSendRequires); err != nil {
			return err
		}
	}
	if err := api.checkAuth0(); err != nil {
		return err
	}
	for _, origin := range api.Origins {
		if err := unlessPlaceholder(origin, checkOrigin); err != nil {
			return err
		}
	}
	seen := make(map[string]bool)
	for _, client := range api.Clients {
		if seen[client.ID] {
			return fmt.Errorf("client %s stands twice; put its options into one block", client.ID)
		}
		seen[client.ID] = true
		if err := client.check(); err != nil {
			return err
		}
	}
	return nil
}

func unlessPlaceholder(text string, check func(string) error) error {
	if isPlaceholder(text) {
		return nil
	}
	return check(text)
}

func checkNumber(option string, n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%s must be a whole number from %d to %d, not %d", option, least, most, n)
	}
	return nil
}

func checkDuration(option string, t caddy.Duration, most time.Duration) error {
	if d := time.Duration(t); d < time.Second || d > most {
		return fmt.Errorf("%s must be from 1s to %s, not %s", option, inWords(most), inWords(d))
	}
	return nil
}

// inWords writes a duration as one would in a Caddyfile.
func inWords(d time.Duration) string {
	const day = 24 * time.Hour
	text := d.String()
	if d >= 2*day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	if rest, ok := strings.CutSuffix(text, "m0s"); ok {
		text = rest + "m"
	}
	if rest, ok := strings.CutSuffix(text, "h0m"); ok {
		text = rest + "h"
	}
	return text
}

// given returns the first error of the checks of options that are given.
type given struct{ err error }

func (g *given) number(option string, n, least, most int) {
	if n != 0 && g.err == nil {
		g.err = checkNumber(option, n, least, most)
	}
}

func (g *given) duration(option string, t caddy.Duration, most time.Duration) {
	if t != 0 && g.err == nil {
		g.err = checkDuration(option, t, most)
	}
}

func (c *Code) check() error {
	var g given
	g.number("code length", c.Length, otp.MinCodeLength, otp.MaxCodeLength)
	g.duration("code lifetime", c.Lifetime, otp.MaxCodeLifetime)
	g.duration("code sms_lifetime", c.SMSLifetime, otp.MaxCodeLifetime)
	g.number("code attempts", c.Attempts, 1, otp.MaxAttempts)
	g.number("code keep", c.Keep, 1, otp.MaxKeep)
	return g.err
}

// scopes are what throttles count by.
var scopes = []string{string(otp.ScopeAddress), string(otp.ScopeClientIP), string(otp.ScopeGlobal)}

func checkScope(scope string) error { return checkWord("throttle", scope, scopes...) }

func (t Throttle) check() error {
	switch {
	case checkScope(t.Scope) != nil:
		return checkScope(t.Scope)
	case t.Events < 1 || t.Events > maxThrottleEvents:
		return fmt.Errorf("throttle %s: events must be a whole number from 1 to %d, not %d; throttles can't be turned off", t.Scope, maxThrottleEvents, t.Events)
	case time.Duration(t.Window)%time.Second != 0:
		return fmt.Errorf("throttle %s: the window must be whole seconds, not %s", t.Scope, time.Duration(t.Window))
	}
	return checkDuration("throttle "+t.Scope+": the window", t.Window, maxThrottleWindow)
}

func checkThrottles(throttles []Throttle) error {
	for i, t := range throttles {
		if err := t.check(); err != nil {
			return err
		}
		for _, other := range throttles[:i] {
			if other.Scope == t.Scope && other.Window == t.Window {
				return fmt.Errorf("throttle %s has two lines with the window %s; remove one", t.Scope, inWords(time.Duration(t.Window)))
			}
		}
		if len(ofScope(throttles, t.Scope)) > maxThrottlesOfScope {
			return fmt.Errorf("throttle %s has more than %d lines; remove some", t.Scope, maxThrottlesOfScope)
		}
	}
	return nil
}

func (s *Session) check() error {
	var g given
	g.duration("session lifetime", s.Lifetime, maxSessionLifetime)
	g.duration("session idle", s.Idle, maxSessionLifetime)
	if g.err != nil {
		return g.err
	}
	if s.Cookie != "" && !isPlaceholder(s.Cookie) && (&http.Cookie{Name: s.Cookie, Value: "x"}).Valid() != nil {
		return fmt.Errorf("session cookie %q can't be the name of a cookie; write letters, digits, - and _", s.Cookie)
	}
	if s.Domain != "" && !isPlaceholder(s.Domain) {
		if strings.HasPrefix(s.Domain, ".") || !strings.Contains(s.Domain, ".") || strings.ContainsAny(s.Domain, ":/ ") {
			return fmt.Errorf("session domain %q: write a parent domain of the site, such as example.com", s.Domain)
		}
		if strings.HasPrefix(strings.ToLower(s.Cookie), "__host-") {
			return fmt.Errorf("session cookie %q: browsers take no domain with this prefix; leave `cookie` out or write __Secure-…", s.Cookie)
		}
	}
	return nil
}

// checkIdle refuses a rest that no session lives to see.
func (s *Session) checkIdle() error {
	lifetime, whose := time.Duration(s.Lifetime), ""
	if lifetime == 0 {
		lifetime, whose = defaultSessionLifetime, ", the default"
	}
	if idle := time.Duration(s.Idle); idle > lifetime {
		return fmt.Errorf("session idle %s is longer than the lifetime (%s%s); write a shorter idle or a longer lifetime", inWords(idle), inWords(lifetime), whose)
	}
	return nil
}

// checkSite judges a session by a site's address as far as both are known.
func (s *Session) checkSite(publicURL string) error {
	if publicURL == "" || isPlaceholder(publicURL) || isPlaceholder(s.Domain) || isPlaceholder(s.Cookie) {
		return nil
	}
	u, err := parsePublicURL(publicURL)
	if err != nil {
		return err
	}
	return s.checkDomain(u)
}

func (t *Token) check() error {
	var g given
	g.duration("token lifetime", t.Lifetime, maxSessionLifetime)
	g.duration("token refresh", t.Refresh, maxSessionLifetime)
	return g.err
}
