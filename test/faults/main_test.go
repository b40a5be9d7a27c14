// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"flag"
	"os"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
)

// long asks for the long form.
var long = flag.Bool("faults.long", false, "break things for longer, and hold the product to its figures")

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	caddyserver.Cleanup()
	os.Exit(code)
}

// either returns what the short and the long form differ in.
func either[T any](inShort, inLong T) T {
	if *long {
		return inLong
	}
	return inShort
}
