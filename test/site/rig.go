// SPDX-License-Identifier: Apache-2.0

// Package site runs the project's Caddy as a process, with a site and an app
// behind it, and acts as its users do. Packages of tests share it; their
// TestMain should call caddyserver.Cleanup.
package site

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

// DeliveryWait bounds how long a message may take to arrive, on a busy machine
// too.
const DeliveryWait = time.Minute

// The clients of auth0.
const (
	ClientID     = "web-app"
	ClientSecret = "a-client-secret-that-is-for-tests-only"
	PublicClient = "mobile-app"
)

// APIs are all three, with a client of each kind.
const APIs = `
		api nestauth
		api autional
		api auth0 {
			client ` + ClientID + ` {
				secret ` + ClientSecret + `
				callback https://app.example.com/callback
				origin https://spa.example.com
			}
			client ` + PublicClient + ` {
				type native
			}
		}`

// Roomy are throttles that a test can't run into by the number of its
// requests; the address's stay at their defaults.
const Roomy = `
		throttle client_ip 100000 1h`

// Rig is a site with an app behind it.
type Rig struct {
	T     *testing.T
	Caddy *caddyserver.Server
	// Global are lines of the Caddyfile's global block, and Sites is the rest
	// of it.
	Global string
	Sites  string
	// URL is the site's address without a slash at its end.
	URL string
	App *Upstream
	// Retries counts the requests made again because their connection was
	// reset before an answer; nil: there must be none.
	Retries *atomic.Int64
}

// stores are the lines of the global block for each kind of store.
var stores = map[string]func(t *testing.T) string{
	"bolt":  func(*testing.T) string { return "store bolt otp.db" },
	"redis": OnRedis,
}

// OnRedis runs a Redis for the test and returns the lines of the global block
// that use it: a store that several servers share.
func OnRedis(t *testing.T) string {
	t.Helper()
	SkipShort(t)
	// Not the default: a busy machine is no outage.
	return "store redis " + redisserver.Start(t).URL() + " {\n\t\t\ttimeout 5s\n\t\t}\n\t\tsecret a-secret-of-more-than-thirty-two-bytes"
}

// OnEachStore runs a test on every kind of store.
func OnEachStore(t *testing.T, test func(t *testing.T, store string)) {
	SkipShort(t)
	for name, lines := range stores {
		t.Run(name, func(t *testing.T) { test(t, lines(t)) })
	}
}

// SkipShort skips a test that runs real servers, under -short.
func SkipShort(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the real server; left out by -short")
	}
}

// New runs a site with the options given. store are the lines of the global
// otp block.
func New(t *testing.T, store, options string) *Rig {
	t.Helper()
	app := NewUpstream(t)
	r := &Rig{T: t, App: app, Global: GlobalBlock(store)}
	port := freeport.Take(t)
	r.URL = fmt.Sprintf("http://localhost:%d", port)
	r.Sites = SiteBlock(r.URL, options, "reverse_proxy "+app.Addr)
	r.Caddy = caddyserver.Start(t, r.Global, r.Sites)
	return r
}

// GlobalBlock is the global otp block with some lines.
func GlobalBlock(store string) string {
	return "\totp {\n\t\t" + store + "\n\t}"
}

// SiteBlock is a site whose messages are written to a file, with further
// options, and what stands behind it.
func SiteBlock(url, options, app string) string {
	return fmt.Sprintf(`%s {
	otp {
		public_url %s
		email file mails.jsonl
		sms file mails.jsonl
		sms_countries US DE
		default_country US
%s
	}
	%s
}
`, url, url, options, app)
}
