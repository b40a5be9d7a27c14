// SPDX-License-Identifier: Apache-2.0

package redisserver

import (
	"fmt"
	"strings"
	"testing"
)

func TestSentinel(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	s := StartSentinel(t)
	first := s.Primary()
	if first != s.Servers[0] {
		t.Error("the first server isn't the primary to begin with")
	}
	first.must("SET", "k", "v")
	s.AwaitReplicas()

	first.Kill()
	second := s.AwaitFailover(first)
	if got := second.must("GET", "k"); got != "v" {
		t.Errorf("the new primary has %v", got)
	}
	first.Restart()
	s.AwaitReplicas()
	if role := first.info("replication")["role"]; role != "slave" {
		t.Errorf("the old primary came back as a %s", role)
	}

	s.Sentinels[0].Restart()
	s.Sentinels[1].Kill()
	third := s.Failover()
	if third == second || s.Primary() != third {
		t.Error("a failover that was asked for made no other primary")
	}
	if len(s.URLs()) != 3 || s.URLs()[0] != s.Sentinels[0].URL() {
		t.Errorf("the URLs are %v", s.URLs())
	}
}

func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	c := StartCluster(t)
	slot := c.Slot("{07}")
	if other := c.Slot("otp:{07}:h:x"); other != slot {
		t.Errorf("a name with the same hash tag is in slot %d, not %d", other, slot)
	}
	owner := c.Owner(slot)
	for i := range 250 {
		owner.must("SET", fmt.Sprintf("{07}%d", i), "v")
	}
	to := c.Servers[0]
	if to == owner {
		to = c.Servers[1]
	}
	move := c.BeginMove(to, slot)
	if moved := move.Keys(100); moved != 100 {
		t.Errorf("%d keys moved", moved)
	}
	if _, err := owner.Do("GET", "{07}new"); err == nil || !strings.Contains(err.Error(), "ASK ") {
		t.Errorf("while a slot is on its way, what is missing is answered with %v", err)
	}
	move.Finish()
	if c.Owner(slot) != to || to.must("DBSIZE") != int64(250) {
		t.Errorf("the new owner has %v of 250 keys", to.must("DBSIZE"))
	}
	c.Move(owner, slot)
	if c.Owner(slot) != owner || owner.must("DBSIZE") != int64(250) {
		t.Error("the slot isn't back")
	}

	owner.Restart()
	c.AwaitReady()
	if got := owner.must("DBSIZE"); got != int64(0) {
		t.Errorf("a restarted node that keeps nothing on disk has %v keys", got)
	}
	if c.Owner(slot) != owner {
		t.Error("a restarted node lost its slots")
	}
}
