// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"
	"crypto/subtle"
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
		return renewal{refusal: otp.ErrReused}, x.revoke(otp.Revocation{Session: id, Lifetime: rest})
	}
	r.Refresh = next
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
	return &r, d.done()
}

func (x *step) saveSession(r otp.SessionRecord) error {
	var e encoder
	e.text(string(r.Sealed))
	e.text(string(r.Refresh))
	e.number(int64(r.Lifetime))
	e.number(r.Created.UnixNano())
	e.number(r.Since.UnixNano())
	return x.put(sessions, []byte(r.ID), r.Created.Add(r.Lifetime).UnixNano(), e)
}
