// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestReshard moves slots of ours to and fro while people log in (F-14): nearly
// nobody notices, nothing is lost or doubled, and no script ever names keys of
// two slots.
func TestReshard(t *testing.T) {
	site.SkipShort(t)
	cluster := redisserver.StartCluster(t, durable...)
	r := newRig(t, nodes, clustered(cluster).lines(), spacious)
	figures := promised()
	figures.refused = either(0.02, 0.001)
	moved := 0
	r.under(t, usual(), fault{name: "F-14 slots moved", figures: figures, hurt: func() {
		for end := time.Now().Add(lasting()); time.Now().Before(end); moved++ {
			shard := moved % 64
			slot := cluster.Slot(fmt.Sprintf("otp:{%02d}:h:x", shard))
			to := cluster.Servers[(moved/64+shard)%len(cluster.Servers)]
			cluster.Move(to, slot)
			time.Sleep(10 * time.Millisecond)
		}
	}})
	crossed, redirected := errorsOf(t, cluster, "CROSSSLOT"), errorsOf(t, cluster, "MOVED")+errorsOf(t, cluster, "ASK")+errorsOf(t, cluster, "TRYAGAIN")
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

// TestClusterNodeFails kills a node of a Cluster, and freezes another: the rest
// of the Cluster says that it is down (CLUSTERDOWN) until it is back.
func TestClusterNodeFails(t *testing.T) {
	site.SkipShort(t)
	cluster := redisserver.StartCluster(t, durable...)
	r := newRig(t, nodes, clustered(cluster).lines(), spacious)
	r.under(t, usual(), fault{name: "F-14 a Cluster's node killed and restarted", figures: promised(), hurt: func() {
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
}
