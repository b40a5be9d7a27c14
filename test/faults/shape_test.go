// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// shape is a Redis in one of its shapes.
type shape struct {
	name string
	// urls are the servers', or the Sentinels', and block further lines of the
	// store's block that the shape needs.
	urls, block []string
}

// lines are those of the global block that use it, with further lines in the
// store's block.
func (s shape) lines(options ...string) string {
	return redisStore(strings.Join(s.urls, " "), append(options, s.block...)...)
}

// onEachShape runs a test on one server and on a Cluster.
func onEachShape(t *testing.T, test func(t *testing.T, s shape)) {
	site.SkipShort(t)
	t.Run("standalone", func(t *testing.T) { test(t, standalone(redisserver.Start(t).URL())) })
	t.Run("cluster", func(t *testing.T) { test(t, clustered(redisserver.StartCluster(t))) })
}

// standalone is one server at a URL.
func standalone(url string) shape { return shape{name: "standalone", urls: []string{url}} }

// clustered is a Cluster of three primaries.
func clustered(c *redisserver.Cluster) shape { return shape{name: "cluster", urls: c.URLs()} }

// watched is a primary with replicas and Sentinels.
func watched(s *redisserver.Sentinel) shape {
	return shape{name: "sentinel", urls: s.URLs(), block: []string{"sentinel " + redisserver.MasterName}}
}

// row prints a line of the table.
func row(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf("| "+format, args...)
}
