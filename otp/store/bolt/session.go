// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"context"
	"crypto/subtle"
	"slices"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Renew implements [otp.Store].
func (s *Store) Renew(ctx context.Context, id otp.SessionID, old []otp.Tag, next otp.Tag) (otp.SessionRecord, error) {
	a, err := write(ctx, s, func(x *step) (renewal, error) { return x.renew(id, old, next) })
	if err != nil {
		return otp.SessionRecord{}, err
	}
	return a.session, a.refusal
}

// renewal is the answer to a renewal. A refusal isn't the job's error, since
// it is committed too.
type renewal struct {
	session otp.SessionRecord
	refusal error
}

func (x *step) renew(id otp.SessionID, old []otp.Tag, next otp.Tag) (renewal, error) {
	r, err := x.session(id)
	if err != nil {
		return renewal{}, err
	}
	if r == nil || r.Refresh == "" {
		return renewal{refusal: otp.ErrNoSession}, nil
	}
	equal := 0
	for _, tag := range old {
		equal |= subtle.ConstantTimeCompare([]byte(r.Refresh), []byte(tag))
	}
	if equal == 0 {
		rest := r.Created.Add(r.Lifetime).Sub(x.time())
		return renewal{session: *r, refusal: otp.ErrReused}, x.revoke(otp.Revocation{Session: id, Lifetime: rest})
	}
	r.Refresh, r.Used = next, x.time()
	return renewal{session: *r}, x.saveSession(*r)
}

// session loads a session, or returns nil.
func (x *step) session(id otp.SessionID) (*otp.SessionRecord, error) {
	entry, err := x.get(sessions, []byte(id))
	if err != nil || entry == nil {
		return nil, err
	}
	d := decoder{rest: entry}
	r := otp.SessionRecord{
		ID:       id,
		Sealed:   []byte(d.text()),
		Refresh:  otp.Tag(d.text()),
		Lifetime: time.Duration(d.number()),
		Created:  time.Unix(0, d.number()),
		Since:    time.Unix(0, d.number()),
	}
	r.Used = r.Created
	if len(d.rest) > 0 { // older sessions have no owner
		r.Owner = d.text()
	}
	if len(d.rest) > 0 { // nor a last use
		r.Used = time.Unix(0, d.number())
	}
	return &r, d.done()
}

func (x *step) saveSession(r otp.SessionRecord) error {
	var e encoder
	e.text(string(r.Sealed))
	e.text(string(r.Refresh))
	e.number(int64(r.Lifetime))
	e.number(r.Created.UnixNano())
	e.number(r.Since.UnixNano())
	e.text(r.Owner)
	e.number(r.Used.UnixNano())
	return x.put(sessions, []byte(r.ID), r.Created.Add(r.Lifetime).UnixNano(), e)
}

// openSession keeps a new session, and for its owner that there is one.
func (x *step) openSession(r otp.SessionRecord) error {
	if r.Owner != "" {
		if err := x.put(owned, ownedKey(r.Owner, r.ID), r.Created.Add(r.Lifetime).UnixNano(), nil); err != nil {
			return err
		}
	}
	return x.saveSession(r)
}

// endSession forgets a session, if there is one.
func (x *step) endSession(id otp.SessionID) error {
	r, err := x.session(id)
	if err != nil {
		return err
	}
	if r != nil && r.Owner != "" {
		if err := x.delete(owned, ownedKey(r.Owner, id)); err != nil {
			return err
		}
	}
	return x.delete(sessions, []byte(id))
}

// Sessions implements [otp.Store].
func (s *Store) Sessions(ctx context.Context, owner string) ([]otp.SessionRecord, error) {
	return read(ctx, s, func(x *step) ([]otp.SessionRecord, error) {
		var found []otp.SessionRecord
		prefix := ownedKey(owner, "")
		c := x.tx.Bucket(owned.name).Cursor()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			r, err := x.session(otp.SessionID(k[len(prefix):]))
			if err != nil {
				return nil, err
			}
			if r != nil {
				found = append(found, *r)
			}
		}
		slices.SortFunc(found, func(a, b otp.SessionRecord) int { return b.Created.Compare(a.Created) })
		return found[:min(len(found), otp.MaxSessions)], nil
	})
}

func ownedKey(owner string, id otp.SessionID) []byte { return []byte(owner + " " + string(id)) }
