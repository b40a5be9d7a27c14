// SPDX-License-Identifier: Apache-2.0

package redisserver

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/freeport"
)

// slots is how many slots a Cluster's keys are spread over.
const slots = 16384

// NodeTimeout is how long a node of a Cluster must be silent until the others
// take it for down.
const NodeTimeout = 2 * time.Second

// Cluster is a Redis Cluster of three primaries without replicas. Each can be
// killed, stopped and restarted as any [Server]; what a killed one doesn't keep
// on disk is gone, and its slots are its own again.
type Cluster struct {
	Servers []*Server
}

// StartCluster starts it and waits until every node serves. The further
// arguments are all nodes'.
func StartCluster(t testing.TB, args ...string) *Cluster {
	t.Helper()
	c := new(Cluster)
	for i := range 3 {
		node := launch(t, func(s *Server) error {
			bus := strconv.Itoa(freeport.Take(t))
			s.args = append([]string{
				"--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-announce-ip", "127.0.0.1",
				"--cluster-node-timeout", fmt.Sprint(NodeTimeout.Milliseconds()),
			}, args...)
			return nil
		})
		node.must("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		node.must("CLUSTER", "ADDSLOTSRANGE", i*slots/3, (i+1)*slots/3-1)
		c.Servers = append(c.Servers, node)
	}
	for _, node := range c.Servers[1:] {
		node.must("CLUSTER", "MEET", "127.0.0.1", c.Servers[0].port(), c.Servers[0].busPort())
	}
	c.AwaitReady()
	return c
}

func (s *Server) busPort() string {
	for i, arg := range s.args {
		if arg == "--cluster-port" {
			return s.args[i+1]
		}
	}
	return ""
}

// AwaitReady waits until every node that runs serves and agrees with the others
// on whose each slot is.
func (c *Cluster) AwaitReady() {
	c.Servers[0].t.Helper()
	c.Servers[0].await("every node of the Cluster serves", func() bool {
		view := ""
		for _, node := range c.Servers {
			if !node.running() {
				continue
			}
			answer, err := node.Do("CLUSTER", "INFO")
			if err != nil {
				return false
			}
			state := fields(fmt.Sprint(answer))
			if state["cluster_state"] != "ok" || state["cluster_known_nodes"] != fmt.Sprint(len(c.Servers)) {
				return false
			}
			owners, err := node.Do("CLUSTER", "SLOTS")
			text := fmt.Sprint(owners)
			if err != nil || view != "" && text != view {
				return false
			}
			view = text
		}
		return view != ""
	})
}

// URLs returns the addresses of the nodes as redis:// URLs.
func (c *Cluster) URLs() []string { return urls(c.Servers) }

// Slot returns the slot of a key.
func (c *Cluster) Slot(key string) int {
	c.Servers[0].t.Helper()
	slot, _ := c.Servers[0].must("CLUSTER", "KEYSLOT", key).(int64)
	return int(slot)
}

// Owner returns the node whose a slot is, as the nodes that run see it.
func (c *Cluster) Owner(slot int) *Server {
	c.Servers[0].t.Helper()
	for _, node := range c.Servers {
		if !node.running() {
			continue
		}
		ranges, _ := node.must("CLUSTER", "SLOTS").([]any)
		for _, entry := range ranges {
			parts := entry.([]any)
			if first, last := parts[0].(int64), parts[1].(int64); int64(slot) < first || int64(slot) > last {
				continue
			}
			port := fmt.Sprint(parts[2].([]any)[1])
			for _, owner := range c.Servers {
				if owner.port() == port {
					return owner
				}
			}
		}
	}
	c.Servers[0].t.Fatalf("slot %d is no node's", slot)
	return nil
}

// Move gives slots and what is in them to a node while the Cluster serves: a
// reshard, one slot after the other.
func (c *Cluster) Move(to *Server, slots ...int) {
	to.t.Helper()
	for _, slot := range slots {
		if c.Owner(slot) != to {
			c.BeginMove(to, slot).Finish()
		}
	}
}

// Move is a slot on its way from one node to another.
type Move struct {
	cluster  *Cluster
	slot     int
	from, to *Server
}

// BeginMove opens the move of a slot to a node, with no key moved yet: what is
// missing at the old node is asked for at the new one from here on.
func (c *Cluster) BeginMove(to *Server, slot int) *Move {
	to.t.Helper()
	from := c.Owner(slot)
	to.must("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id())
	from.must("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id())
	return &Move{cluster: c, slot: slot, from: from, to: to}
}

// Keys moves at most n of the slot's keys and returns how many it moved.
func (m *Move) Keys(n int) int {
	m.from.t.Helper()
	keys, _ := m.from.must("CLUSTER", "GETKEYSINSLOT", m.slot, n).([]any)
	if len(keys) > 0 {
		args := []any{"MIGRATE", "127.0.0.1", m.to.port(), "", 0, commandTimeout.Milliseconds(), "KEYS"}
		m.from.must(append(args, keys...)...)
	}
	return len(keys)
}

// Finish moves what is left and hands the slot over.
func (m *Move) Finish() {
	m.from.t.Helper()
	for m.Keys(100) > 0 {
	}
	// The new owner first: a slot that nobody has would be lost.
	m.to.must("CLUSTER", "SETSLOT", m.slot, "NODE", m.to.id())
	m.from.must("CLUSTER", "SETSLOT", m.slot, "NODE", m.to.id())
	for _, node := range m.cluster.Servers {
		if node != m.to && node != m.from && node.running() {
			node.must("CLUSTER", "SETSLOT", m.slot, "NODE", m.to.id())
		}
	}
}

func (s *Server) id() string {
	s.t.Helper()
	return fmt.Sprint(s.must("CLUSTER", "MYID"))
}
