// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestCluster breaks a Cluster while people log in (F-14). Slots of ours move to
// and fro: nearly nobody notices. A node is killed, and another one stopped:
// the rest of the Cluster says that it is down until they are back. No script
// ever names keys of two slots.
func TestCluster(t *testing.T) {
	site.SkipShort(t)
	cluster := redisserver.StartCluster(t, durable...)
	r := newRig(t, nodes, clustered(cluster).lines(), spacious)
	few := promised()
	few.refused = either(0.05, 0.001)
	moved, redirected := 0, 0
	r.under(t, usual(), fault{name: "F-14 slots moved", figures: few, hurt: func() {
		redirections := func() (count int) {
			for _, kind := range []string{"MOVED", "ASK", "TRYAGAIN"} {
				count += errorsOf(t, cluster, kind)
			}
			return count
		}
		// Until somebody has met a slot that was moved: on a busy machine few are,
		// and few ask.
		begin := time.Now()
		for time.Since(begin) < lasting() || redirections() == 0 && time.Since(begin) < delivery {
			slot := cluster.Slot(fmt.Sprintf("otp:{%02d}:h:x", moved%64))
			owner := slices.Index(cluster.Servers, cluster.Owner(slot))
			cluster.Move(cluster.Servers[(owner+1)%len(cluster.Servers)], slot)
			moved++
			time.Sleep(10 * time.Millisecond)
		}
		redirected = redirections()
	}}, fault{name: "F-14 a Cluster's node killed and restarted", figures: promised(), hurt: func() {
		cluster.Servers[1].Kill()
		time.Sleep(lasting())
		cluster.Servers[1].Restart()
		cluster.AwaitReady()
	}}, fault{name: "F-14 a Cluster's node stopped and continued", figures: promised(), hurt: func() {
		cluster.Servers[2].Stop()
		time.Sleep(lasting())
		cluster.Servers[2].Continue()
		cluster.AwaitReady()
	}})
	crossed := errorsOf(t, cluster, "CROSSSLOT")
	if crossed > 0 {
		t.Errorf("%d scripts named keys of two slots", crossed)
	}
	if redirected == 0 {
		t.Error("nothing was ever redirected, so nothing was shown")
	}
	row(t, "F-14 %d slots moved: %d redirections (MOVED, ASK, TRYAGAIN), %d CROSSSLOT", moved, redirected, crossed)
}

// errorsOf is how many errors of a kind the nodes of a Cluster have answered.
func errorsOf(t *testing.T, c *redisserver.Cluster, kind string) (count int) {
	t.Helper()
	for _, node := range c.Servers {
		info, err := admin(t, node.Addr).Info(t.Context(), "errorstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(info) {
			if rest, ok := strings.CutPrefix(line, "errorstat_"+kind+":count="); ok {
				var n int
				fmt.Sscan(strings.TrimSpace(rest), &n)
				count += n
			}
		}
	}
	return count
}
