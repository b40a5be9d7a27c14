// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// What a revocation ends, as the scripts keep it.
const (
	revokedSession = "s"
	revokedOwner   = "p"
)

// Renew implements [otp.Store].
func (s *Store) Renew(ctx context.Context, id otp.SessionID, old []otp.Tag, next otp.Tag) (otp.SessionRecord, error) {
	keys := []string{s.key(id.Shard(), "s", string(id)), s.revocationsKey(id.Shard())}
	args := []any{revokedSession + string(id), string(next)}
	for _, tag := range old {
		args = append(args, string(tag))
	}
	answer, err := s.run(ctx, s.scripts.renew, keys, args...)
	if err != nil {
		return otp.SessionRecord{}, err
	}
	r := newReply(answer)
	switch r.integer(0) {
	case noSession:
		return otp.SessionRecord{}, otp.ErrNoSession
	case reused, renewed:
	default:
		return otp.SessionRecord{}, errNonsense
	}
	session := otp.SessionRecord{
		ID:       id,
		Sealed:   []byte(r.text(1)),
		Lifetime: r.duration(2),
		Created:  r.instant(3),
		Since:    r.instant(4),
		Used:     r.instant(5),
		Refresh:  otp.Tag(r.text(6)),
	}
	if err := r.err(); err != nil {
		return otp.SessionRecord{}, err
	}
	if r.integer(0) == reused {
		return session, otp.ErrReused
	}
	return session, nil
}

// Revoke implements [otp.Store].
func (s *Store) Revoke(ctx context.Context, r otp.Revocation) error {
	shard, what := otp.ShardOf(r.Owner), revokedOwner+r.Owner
	if r.Session != "" {
		shard, what = r.Session.Shard(), revokedSession+string(r.Session)
	}
	keys := []string{s.revocationsKey(shard)}
	if r.Session != "" {
		keys = append(keys, s.key(shard, "s", string(r.Session)))
	}
	_, err := s.run(ctx, s.scripts.revoke, keys, micros(r.Lifetime), what)
	return err
}

// Sessions implements [otp.Store].
func (s *Store) Sessions(ctx context.Context, owner string) ([]otp.SessionRecord, error) {
	keys := make([]string, otp.Shards)
	for i := range keys {
		keys[i] = s.key(fmt.Sprintf("%02d", i), "o", owner)
	}
	answers, err := s.everywhere(ctx, s.scripts.sessions, keys)
	if err != nil {
		return nil, err
	}
	var found []otp.SessionRecord
	for _, answer := range answers {
		all := newReply(answer)
		for i := range all.values {
			r := all.list(i)
			found = append(found, otp.SessionRecord{
				ID:       otp.SessionID(r.text(0)),
				Owner:    owner,
				Sealed:   []byte(r.text(1)),
				Refresh:  otp.Tag(r.text(2)),
				Lifetime: r.duration(3),
				Created:  r.instant(4),
				Since:    r.instant(5),
				Used:     r.instant(6),
			})
			all.bad = all.bad || r.bad
		}
		if all.bad {
			return nil, errNonsense
		}
	}
	slices.SortFunc(found, func(a, b otp.SessionRecord) int { return b.Created.Compare(a.Created) })
	return found[:min(len(found), otp.MaxSessions)], nil
}

// Revocations implements [otp.Store]. A cursor is a time of the server in µs.
func (s *Store) Revocations(ctx context.Context, since otp.Cursor) ([]otp.Revocation, otp.Cursor, error) {
	keys := make([]string, otp.Shards)
	for i := range keys {
		keys[i] = s.revocationsKey(fmt.Sprintf("%02d", i))
	}
	from := max(0, int64(since)-otp.RevocationOverlap.Microseconds())
	answers, err := s.everywhere(ctx, s.scripts.revocations, keys, from)
	if err != nil {
		return nil, since, err
	}
	var revocations []otp.Revocation
	// Of several servers the clock that is behind: nothing is missed then.
	next := otp.Cursor(math.MaxInt64)
	for _, answer := range answers {
		r := newReply(answer)
		found := r.list(1)
		for i := 0; i < len(found.values); i += 2 {
			revocation, err := parseRevocation(found.text(i))
			if err != nil {
				return nil, since, err
			}
			revocation.At = found.instant(i + 1)
			revocations = append(revocations, revocation)
		}
		next = min(next, otp.Cursor(r.integer(0)))
		if r.bad || found.bad {
			return nil, since, errNonsense
		}
	}
	return revocations, next, nil
}

func parseRevocation(member string) (otp.Revocation, error) {
	lifetime, what, _ := strings.Cut(member, " ")
	micros, err := strconv.ParseInt(lifetime, 10, 64)
	if err != nil || what == "" {
		return otp.Revocation{}, errNonsense
	}
	r := otp.Revocation{Lifetime: time.Duration(micros) * time.Microsecond}
	switch what[:1] {
	case revokedSession:
		r.Session = otp.SessionID(what[1:])
	case revokedOwner:
		r.Owner = what[1:]
	default:
		return otp.Revocation{}, errNonsense
	}
	return r, nil
}
