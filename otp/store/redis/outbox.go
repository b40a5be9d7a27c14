// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// encodeMessage puts what the scripts needn't know of a message into one
// value: its handle, lifetime and lease, and behind a line break the rest.
func encodeMessage(h otp.Handle, m *otp.Envelope) string {
	value := make([]byte, 0, 44+len(h)+len(m.Sealed))
	value = append(strconv.AppendInt(value, int64(m.Lifetime), 10), ' ')
	value = append(strconv.AppendInt(value, int64(m.Lease), 10), ' ')
	value = append(append(value, h...), '\n')
	return string(append(value, m.Sealed...))
}

func decodeMessage(value string, l *otp.Lease) error {
	var lifetime, lease int64
	head, sealed, _ := strings.Cut(value, "\n")
	if _, err := fmt.Sscanf(head, "%d %d %s", &lifetime, &lease, &l.Handle); err != nil {
		return errNonsense
	}
	l.Lifetime, l.Lease, l.Sealed = time.Duration(lifetime), time.Duration(lease), []byte(sealed)
	return nil
}

// Claim implements [otp.Store]. It begins at another shard each time, so that
// none waits behind the others.
func (s *Store) Claim(ctx context.Context, realms []string, limit int, lease time.Duration) ([]otp.Lease, error) {
	l := s.current.Load()
	ctx, cancel := within(ctx, l.timeout)
	defer cancel()
	spread, err := s.isSpread(ctx, l)
	if err != nil {
		return nil, err
	}
	first := rand.N(otp.Shards)
	commands := []command{s.claim(nil, realms, limit, lease, first)}
	if spread {
		if commands, err = s.claims(ctx, realms, limit, lease, first); err != nil {
			return nil, err
		}
	}
	answers, err := s.runAlone(ctx, commands...)
	if err != nil {
		return nil, err
	}
	var leases []otp.Lease
	for _, answer := range answers {
		claimed, err := readLeases(answer, realms)
		if err != nil {
			return nil, err
		}
		leases = append(leases, claimed...)
	}
	return leases, nil
}

// claim is the command that claims messages, beginning at a shard.
func (s *Store) claim(keys, realms []string, limit int, lease time.Duration, shard int) command {
	args := []any{s.prefix, limit, lease.Microseconds(), shard}
	for _, realm := range realms {
		args = append(args, escape(realm))
	}
	return command{s.scripts.claim, keys, args}
}

// claims are the commands that claim no more than limit messages on a Cluster,
// where each shard is asked by itself: of those shards that have any due.
func (s *Store) claims(ctx context.Context, realms []string, limit int, lease time.Duration, first int) ([]command, error) {
	if len(realms) == 0 {
		return nil, nil
	}
	queues := make([]command, otp.Shards)
	for i := range queues {
		shard := fmt.Sprintf("%02d", (first+i)%otp.Shards)
		queues[i].script = s.scripts.due
		for _, realm := range realms {
			queues[i].keys = append(queues[i].keys, s.key(shard, "q", realm))
		}
	}
	answers, err := s.runAlone(ctx, queues...)
	if err != nil {
		return nil, err
	}
	var commands []command
	for i, answer := range answers {
		due, ok := answer.(int64)
		if !ok {
			return nil, errNonsense
		}
		share := min(limit, int(due))
		if share > 0 {
			limit -= share
			commands = append(commands, s.claim(queues[i].keys[:1], realms, share, lease, (first+i)%otp.Shards))
		}
	}
	return commands, nil
}

func readLeases(answer any, realms []string) ([]otp.Lease, error) {
	r := newReply(answer)
	var leases []otp.Lease
	for i := range r.values {
		claimed := r.list(i)
		l := otp.Lease{Fence: claimed.integer(2), Expires: claimed.instant(3)}
		l.ID = claimed.text(1)
		realm := int(claimed.integer(0))
		if claimed.bad || realm < 0 || realm >= len(realms) {
			return nil, errNonsense
		}
		l.Realm = realms[realm]
		if err := decodeMessage(claimed.text(4), &l); err != nil {
			return nil, err
		}
		leases = append(leases, l)
	}
	return leases, r.err()
}

// Settle implements [otp.Store]. A single lease ends like any other operation:
// where calls that settled many have failed, each is tried by itself, and they
// must not take all connections.
func (s *Store) Settle(ctx context.Context, ends ...otp.Settlement) error {
	if len(ends) == 1 {
		c := command{script: s.scripts.settle}
		s.addSettlement(&c, ends[0])
		_, err := s.run(ctx, c.script, c.keys, c.args...)
		return err
	}
	l := s.current.Load()
	ctx, cancel := within(ctx, l.timeout)
	defer cancel()
	spread, err := s.isSpread(ctx, l)
	if err != nil {
		return err
	}
	var commands []command
	places := make(map[string]int) // of the shards' commands, where each needs its own
	for _, end := range ends {
		reach := ""
		if spread {
			reach = end.Handle.Shard()
		}
		place, found := places[reach]
		if !found {
			place = len(commands)
			places[reach] = place
			commands = append(commands, command{script: s.scripts.settle})
		}
		s.addSettlement(&commands[place], end)
	}
	_, err = s.runAlone(ctx, commands...)
	return err
}

// addSettlement has a command of the script settle end one more lease.
func (s *Store) addSettlement(c *command, end otp.Settlement) {
	shard := end.Handle.Shard()
	c.keys = append(c.keys, s.key(shard, "m", end.ID), s.key(shard, "q", end.Realm))
	c.args = append(c.args, end.ID, end.Fence, micros(end.Again))
}
