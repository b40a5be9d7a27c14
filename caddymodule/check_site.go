// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// check judges all options together, for configurations that come as JSON and
// for the values of placeholders.
func (o *Options) check(publicURL *url.URL) error {
	checks := []error{checkAPIs(o.APIs), checkThrottles(o.Throttles), checkFactorRules(o.RequireMFA, nil), o.checkHeaders()}
	if o.Path != "" {
		checks = append(checks, checkPagesPath(o.Path))
	}
	if o.Send != "" {
		checks = append(checks, checkSend(o.Send))
	}
	if o.DefaultCountry != "" {
		checks = append(checks, checkCountry(o.DefaultCountry))
	}
	for _, country := range o.SMSCountries {
		checks = append(checks, checkCountry(country))
	}
	for _, network := range o.ThrottleExempt {
		checks = append(checks, checkNetwork(network))
	}
	for _, p := range o.Protect {
		checks = append(checks, p.check())
	}
	for _, f := range o.RequireMFA {
		checks = append(checks, f.check())
	}
	for _, path := range o.Public {
		checks = append(checks, of("public", checkRulePath)(path))
	}
	if o.Code != nil {
		checks = append(checks, o.Code.check())
	}
	if o.Token != nil {
		checks = append(checks, o.Token.check())
	}
	if o.Session != nil {
		checks = append(checks, o.Session.check(), o.Session.checkIdle(), o.Session.checkDomain(publicURL))
	}
	checks = append(checks, o.checkReachable(), o.checkConnections(), o.checkGroups(), o.checkMFA())
	if len(o.SMSRaw) > 0 && len(o.SMSCountries) == 0 {
		checks = append(checks, errors.New("sms needs `sms_countries <CC>...`: fraudsters ask for codes to expensive countries, so say where your users are"))
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) checkDomain(publicURL *url.URL) error {
	host := publicURL.Hostname()
	domain := strings.ToLower(s.Domain)
	if domain != "" && host != domain && !strings.HasSuffix(host, "."+domain) {
		return fmt.Errorf("session domain %q: the site is %s, which isn't below it; write a parent domain of the site, or leave it out", s.Domain, host)
	}
	if publicURL.Scheme == "http" && hasCookiePrefix(s.Cookie) {
		return fmt.Errorf("session cookie %q: browsers take names with this prefix over https only; write a name without it", s.Cookie)
	}
	return nil
}

// hasCookiePrefix reports whether browsers bind a cookie's name to https
// (RFC 6265bis §4.1.3).
func hasCookiePrefix(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "__host-") || strings.HasPrefix(name, "__secure-")
}
