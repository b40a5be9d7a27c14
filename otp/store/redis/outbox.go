// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// encodeMessage puts what the scripts needn't know of a message into one
// value: its handle, lifetime and lease, and behind a line break the rest.
func encodeMessage(h otp.Handle, m *otp.Envelope) string {
	return fmt.Sprintf("%d %d %s\n", int64(m.Lifetime), int64(m.Lease), h) + string(m.Sealed)
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
	args := []any{s.prefix, limit, lease.Microseconds(), rand.N(otp.Shards)}
	for _, realm := range realms {
		args = append(args, escape(realm))
	}
	answer, err := s.runAlone(ctx, s.scripts.claim, nil, args...)
	if err != nil {
		return nil, err
	}
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

// Settle implements [otp.Store].
func (s *Store) Settle(ctx context.Context, l otp.Lease, again time.Duration) error {
	shard := l.Handle.Shard()
	keys := []string{s.key(shard, "m", l.ID), s.key(shard, "q", l.Realm)}
	_, err := s.run(ctx, s.scripts.settle, keys, l.ID, l.Fence, micros(again))
	return err
}
