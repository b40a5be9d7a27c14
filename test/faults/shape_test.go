// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"testing"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// shape is a Redis in one of its shapes.
type shape struct {
	name string
	// lines are those of the global block that use it, with further options
	// of the store.
	lines func(options ...string) string
}

// onEachShape runs a test on every shape of Redis.
func onEachShape(t *testing.T, test func(t *testing.T, s shape)) {
	site.SkipShort(t)
	t.Run("standalone", func(t *testing.T) {
		test(t, standalone(redisserver.Start(t).URL()))
	})
}

// standalone is one server at a URL.
func standalone(url string) shape {
	return shape{name: "standalone", lines: func(options ...string) string { return redisStore(url, options...) }}
}

// row prints a line of the table.
func row(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf("| "+format, args...)
}
