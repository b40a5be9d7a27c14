// SPDX-License-Identifier: Apache-2.0

// Package caddymodule is what Caddy sees of caddy-otp: the otp app with the
// secrets and the store, the otp handler with a site's options, the senders
// and stores as guest modules, and the Caddyfile's grammar for all of them.
//
// Build Caddy with it:
//
//	xcaddy build --with github.com/caddy-otp/caddy-otp/caddymodule
package caddymodule
