// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"os"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
)

func TestMain(m *testing.M) {
	code := m.Run()
	caddyserver.Cleanup()
	os.Exit(code)
}
