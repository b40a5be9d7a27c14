// SPDX-License-Identifier: Apache-2.0

// Command caddy is Caddy with passwordless login built in:
//
//	go run ./caddy run --config Caddyfile.example
//
// For another set of modules build with xcaddy; see the README.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-otp/caddy-otp/caddymodule"
)

func main() {
	caddycmd.Main()
}
