// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Revoke implements [otp.Store].
func (s *Store) Revoke(ctx context.Context, r otp.Revocation) error {
	_, err := write(ctx, s, func(x *step) (struct{}, error) { return struct{}{}, x.revoke(r) })
	return err
}

func (x *step) revoke(r otp.Revocation) error {
	if r.Session != "" {
		if err := x.endSession(r.Session); err != nil {
			return err
		}
	}
	x.writes++
	n, err := x.tx.Bucket(revocations.name).NextSequence()
	if err != nil {
		return err
	}
	var e encoder
	e.text(string(r.Session))
	e.text(r.Owner)
	e.number(x.now)
	e.number(int64(r.Lifetime))
	return x.put(revocations, revocationKey(n), x.after(r.Lifetime), e)
}

// Revocations implements [otp.Store]. The cursor is the number of the latest
// revocation, not a time: setting the machine's clock back hides none.
func (s *Store) Revocations(ctx context.Context, since otp.Cursor) ([]otp.Revocation, otp.Cursor, error) {
	type answer struct {
		told []otp.Revocation
		next otp.Cursor
	}
	a, err := read(ctx, s, func(x *step) (a answer, err error) {
		bucket := x.tx.Bucket(revocations.name)
		a.next = otp.Cursor(bucket.Sequence())
		if since < 0 || since > a.next {
			since = 0 // of another file
		}
		c := bucket.Cursor()
		k, err := x.overlap(c, since)
		for ; k != nil && err == nil; k, _ = c.Next() {
			var r *otp.Revocation
			if r, err = x.revocation(k); r != nil {
				a.told = append(a.told, *r)
			}
		}
		return a, err
	})
	return a.told, a.next, err
}

// overlap moves a cursor to the first revocation that is told to who has seen
// all up to since.
func (x *step) overlap(c *bbolt.Cursor, since otp.Cursor) (key []byte, err error) {
	if since == 0 {
		key, _ = c.First()
		return key, nil
	}
	if key, _ = c.Seek(revocationKey(uint64(since) + 1)); key == nil {
		key, _ = c.Last()
	} else {
		key, _ = c.Prev()
	}
	var begin time.Time
	for ; key != nil; key, _ = c.Prev() {
		r, err := x.revocation(key)
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		if begin.IsZero() {
			begin = r.At.Add(-otp.RevocationOverlap)
		}
		if r.At.Before(begin) {
			key, _ = c.Next()
			return key, nil
		}
	}
	key, _ = c.First()
	return key, nil
}

// revocation loads a revocation, or returns nil where it is over.
func (x *step) revocation(key []byte) (*otp.Revocation, error) {
	entry, err := x.get(revocations, key)
	if err != nil || entry == nil {
		return nil, err
	}
	d := decoder{rest: entry}
	r := otp.Revocation{
		Session:  otp.SessionID(d.text()),
		Owner:    d.text(),
		At:       time.Unix(0, d.number()),
		Lifetime: time.Duration(d.number()),
	}
	return &r, d.done()
}

func revocationKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
