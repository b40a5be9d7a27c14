// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

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
)

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
	case u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it must be a host without path, query or user")
	}
	host := strings.ToLower(u.Host)
	if standard := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; strings.HasSuffix(host, standard) {
		host = strings.TrimSuffix(host, standard)
	}
	return &url.URL{Scheme: u.Scheme, Host: host}, nil
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
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("%q is no path; it must begin with a slash, such as /admin", path)
	}
	if strings.ContainsAny(strings.TrimSuffix(path, "*"), `*?#;\%`) || strings.Contains(path, "//") || strings.Contains(path+"/", "/./") || strings.Contains(path+"/", "/../") {
		return fmt.Errorf("%q can't be used as a path: it covers all below it already; only a trailing /* may be added", path)
	}
	return nil
}

func checkPattern(text string) error {
	_, err := otp.ParsePattern(text)
	return err
}

func checkCountry(code string) error {
	if !otp.IsCountry(code) {
		return fmt.Errorf("country %q is unknown; write ISO 3166 codes in capitals, such as DE or US", code)
	}
	return nil
}

func checkSend(form string) error {
	return checkWord("send", form, string(otp.FormCode), string(otp.FormLink), string(otp.FormBoth))
}

func checkClientType(kind string) error {
	return checkWord("type", kind, "regular", "spa", "native")
}

func checkWord(option, word string, words ...string) error {
	if !slices.Contains(words, word) {
		return fmt.Errorf("%s: unknown %q; write one of: %s", option, word, strings.Join(words, ", "))
	}
	return nil
}

func checkCallback(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("callback %q: write a whole address, such as https://app.example.com/callback", text)
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return fmt.Errorf("callback %q: plain http is for loopback hosts only", text)
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
		return errors.New("api none stands alone: it turns every API off")
	}
	return nil
}

func (api API) check() error {
	if api.Name == "auth0" && len(api.Clients) == 0 {
		return errors.New("api auth0 needs a client; write `client <id>` into its block")
	}
	if api.Name != "auth0" && len(api.Clients) > 0 {
		return errors.New("only api auth0 has clients")
	}
	for _, origin := range api.Origins {
		if err := unlessPlaceholder(origin, checkOrigin); err != nil {
			return err
		}
	}
	seen := make(map[string]bool)
	for _, client := range api.Clients {
		if seen[client.ID] {
			return fmt.Errorf("client %s stands twice", client.ID)
		}
		seen[client.ID] = true
		if err := client.check(); err != nil {
			return fmt.Errorf("client %s: %w", client.ID, err)
		}
	}
	return nil
}

func (c Client) check() error {
	if c.ID == "" {
		return errors.New("it needs an id")
	}
	if c.Type != "" {
		if err := unlessPlaceholder(c.Type, checkClientType); err != nil {
			return err
		}
	}
	if c.Type == "regular" && c.Secret == "" {
		return errors.New("type regular needs a secret")
	}
	if (c.Type == "spa" || c.Type == "native") && c.Secret != "" {
		return fmt.Errorf("type %s can't keep a secret; remove it or write type regular", c.Type)
	}
	for _, callback := range c.Callbacks {
		if err := unlessPlaceholder(callback, checkCallback); err != nil {
			return err
		}
	}
	for _, origin := range c.Origins {
		if err := unlessPlaceholder(origin, checkOrigin); err != nil {
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

func (c *Code) check() error {
	switch {
	case c.Length != 0 && (c.Length < otp.MinCodeLength || c.Length > otp.MaxCodeLength):
		return fmt.Errorf("code length must be %d to %d digits, not %d (NIST SP 800-63B-4 asks for six)", otp.MinCodeLength, otp.MaxCodeLength, c.Length)
	case c.Attempts < 0 || c.Attempts > otp.MaxAttempts:
		return fmt.Errorf("code attempts must be 1 to %d, not %d", otp.MaxAttempts, c.Attempts)
	case c.Keep < 0 || c.Keep > otp.MaxKeep:
		return fmt.Errorf("code keep must be 1 to %d, not %d", otp.MaxKeep, c.Keep)
	}
	for option, lifetime := range map[string]caddy.Duration{"lifetime": c.Lifetime, "sms_lifetime": c.SMSLifetime} {
		if t := time.Duration(lifetime); t != 0 && (t < time.Second || t > otp.MaxCodeLifetime) {
			return fmt.Errorf("code %s must be 1s to 10m, not %s (NIST SP 800-63B-4)", option, t)
		}
	}
	return nil
}

func (t Throttle) check() error {
	switch {
	case t.Scope != string(otp.ScopeAddress) && t.Scope != string(otp.ScopeClientIP):
		return fmt.Errorf("throttle: unknown scope %q; write address or client_ip", t.Scope)
	case t.Events < 1 || t.Events > maxThrottleEvents:
		return fmt.Errorf("throttle %s: events must be 1 to %d, not %d; throttles can't be turned off", t.Scope, maxThrottleEvents, t.Events)
	case time.Duration(t.Window) < time.Second || time.Duration(t.Window) > maxThrottleWindow:
		return fmt.Errorf("throttle %s: the window must be 1s to 30d", t.Scope)
	case time.Duration(t.Window)%time.Second != 0:
		return fmt.Errorf("throttle %s: the window must be whole seconds", t.Scope)
	}
	return nil
}

func checkThrottles(throttles []Throttle) error {
	for i, t := range throttles {
		if err := t.check(); err != nil {
			return err
		}
		for _, other := range throttles[:i] {
			if other.Scope == t.Scope && other.Window == t.Window {
				return fmt.Errorf("throttle %s has two lines with the window %s", t.Scope, time.Duration(t.Window))
			}
		}
		if len(ofScope(throttles, t.Scope)) > maxThrottlesOfScope {
			return fmt.Errorf("throttle %s has more than %d lines", t.Scope, maxThrottlesOfScope)
		}
	}
	return nil
}

func (s *Session) check() error {
	if time.Duration(s.Lifetime) > maxSessionLifetime {
		return errors.New("session lifetime must be at most 365d")
	}
	if s.Lifetime < 0 || s.Idle < 0 {
		return errors.New("session lifetime and idle must be above zero")
	}
	if s.Cookie != "" && (&http.Cookie{Name: s.Cookie, Value: "x"}).Valid() != nil {
		return fmt.Errorf("session cookie %q is no name of a cookie", s.Cookie)
	}
	if s.Domain != "" && !isPlaceholder(s.Domain) {
		if strings.HasPrefix(s.Domain, ".") || !strings.Contains(s.Domain, ".") || strings.ContainsAny(s.Domain, ":/ ") {
			return fmt.Errorf("session domain %q: write a parent domain of the site, such as example.com", s.Domain)
		}
		if strings.HasPrefix(s.Cookie, "__Host-") {
			return errors.New("a cookie named __Host-… can't have a domain; leave out `cookie` or write __Secure-…")
		}
	}
	return nil
}

func (t *Token) check() error {
	if t.Lifetime < 0 || t.Refresh < 0 || time.Duration(t.Refresh) > maxSessionLifetime || time.Duration(t.Lifetime) > maxSessionLifetime {
		return errors.New("token lifetime and refresh must be above zero and at most 365d")
	}
	return nil
}
