// SPDX-License-Identifier: Apache-2.0

package redisserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// MasterName is what the Sentinels call their primary.
const MasterName = "mymaster"

// DownAfter is how long a primary must be silent until a Sentinel takes it for
// down.
const DownAfter = 500 * time.Millisecond

// Sentinel is a primary with two replicas and three Sentinels that put a
// replica in its place when it is gone. Each of them can be killed, stopped and
// restarted as any [Server]: a Sentinel goes on with what it knew, and a data
// server comes back as what the Sentinels make of it.
type Sentinel struct {
	// Servers are the data servers; the first is the primary to begin with.
	Servers []*Server
	// Sentinels are the three that watch; two of them decide.
	Sentinels []*Server
}

// StartSentinel starts them and waits until all know each other. The further
// arguments are the data servers'.
func StartSentinel(t testing.TB, args ...string) *Sentinel {
	t.Helper()
	args = append([]string{"--repl-diskless-sync-delay", "0"}, args...)
	s := &Sentinel{Servers: []*Server{Start(t, args...)}}
	primary := s.Servers[0]
	for range 2 {
		replica := append([]string{"--replicaof", "127.0.0.1 " + primary.port()}, args...)
		s.Servers = append(s.Servers, Start(t, replica...))
	}
	primary.await("every replica follows the first primary", func() bool { return s.follow(primary) })
	for range 3 {
		s.Sentinels = append(s.Sentinels, launch(t, func(s *Server) error { return s.watch(primary) }))
	}
	for _, sentinel := range s.Sentinels {
		sentinel.await("each Sentinel knows the replicas and the other Sentinels", func() bool {
			known := sentinel.info("sentinel")["master0"]
			return strings.Contains(known, "status=ok") && strings.Contains(known, "slaves=2") && strings.HasSuffix(known, "sentinels=3")
		})
	}
	return s
}

// watch makes a server a Sentinel of a primary.
func (s *Server) watch(primary *Server) error {
	s.sentinel = filepath.Join(s.dir, "sentinel.conf")
	return os.WriteFile(s.sentinel, fmt.Appendf(nil, `bind 127.0.0.1
port %[1]s
dir %[2]s
sentinel monitor %[3]s 127.0.0.1 %[4]s 2
sentinel down-after-milliseconds %[3]s %[5]d
sentinel failover-timeout %[3]s 3000
sentinel parallel-syncs %[3]s 2
`, s.port(), s.dir, MasterName, primary.port(), DownAfter.Milliseconds()), 0o600)
}

// URLs returns the addresses of the Sentinels as redis:// URLs.
func (s *Sentinel) URLs() []string { return urls(s.Sentinels) }

func urls(servers []*Server) []string {
	var all []string
	for _, server := range servers {
		all = append(all, server.URL())
	}
	return all
}

// Primary returns the present primary: the one that the Sentinels name and that
// takes it upon itself. It waits for one where there is none.
func (s *Sentinel) Primary() *Server {
	s.Servers[0].t.Helper()
	var primary *Server
	s.Servers[0].await("a primary that the Sentinels name", func() bool {
		primary = s.named()
		return primary != nil && primary.info("replication")["role"] == "master"
	})
	return primary
}

// named returns the data server that all Sentinels which answer call the
// primary, or nil.
func (s *Sentinel) named() *Server {
	var primary *Server
	for _, sentinel := range s.Sentinels {
		if !sentinel.running() {
			continue
		}
		answer, err := sentinel.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName)
		parts, ok := answer.([]any)
		if err != nil || !ok || len(parts) != 2 {
			return nil
		}
		server := s.at(fmt.Sprintf("%s:%s", parts...))
		if server == nil || primary != nil && server != primary {
			return nil
		}
		primary = server
	}
	return primary
}

func (s *Sentinel) at(addr string) *Server {
	for _, server := range s.Servers {
		if server.Addr == addr {
			return server
		}
	}
	return nil
}

// AwaitFailover waits until another server than the old primary has taken its
// place, and returns it.
func (s *Sentinel) AwaitFailover(old *Server) *Server {
	old.t.Helper()
	var primary *Server
	old.await("another primary", func() bool {
		primary = s.named()
		return primary != nil && primary != old && primary.info("replication")["role"] == "master"
	})
	return primary
}

// Failover lets the Sentinels put a replica in the primary's place although it
// is well, and returns the new one.
func (s *Sentinel) Failover() *Server {
	old := s.Primary()
	old.t.Helper()
	s.AwaitReplicas()
	old.await("a Sentinel that begins the failover", func() bool {
		// One may have no good replica yet, or be in a failover already.
		_, err := s.Sentinels[0].Do("SENTINEL", "FAILOVER", MasterName)
		return err == nil
	})
	return s.AwaitFailover(old)
}

// AwaitReplicas waits until every data server that runs follows the present
// primary and has what it has. One that came back as a primary is made a
// replica: the Sentinels do that too, but only after ten seconds.
func (s *Sentinel) AwaitReplicas() {
	first := s.Servers[0]
	first.t.Helper()
	first.await("every replica follows the primary", func() bool {
		primary := s.named()
		return primary != nil && s.follow(primary)
	})
}

// follow reports whether every data server that runs has what the primary has.
func (s *Sentinel) follow(primary *Server) bool {
	state := primary.info("replication")
	replicas := 0
	for _, server := range s.Servers {
		if server == primary || !server.running() {
			continue
		}
		replicas++
		replica := server.info("replication")
		if replica["role"] == "master" {
			server.Do("REPLICAOF", "127.0.0.1", primary.port()) // asked again where it fails
		}
		if replica["master_link_status"] != "up" || replica["master_port"] != primary.port() ||
			number(replica["slave_repl_offset"]) < number(state["master_repl_offset"]) {
			return false
		}
	}
	return state["role"] == "master" && number(state["connected_slaves"]) == replicas
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}
