// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// message is an envelope in the outbox.
type message struct {
	otp.Lease
	due int64
}

// queue puts a message into the outbox, leased to who started.
func (x *step) queue(h otp.Handle, e *otp.Envelope) error {
	m := message{
		Lease: otp.Lease{Envelope: *e, Handle: h, Fence: 1, Expires: x.time().Add(e.Lifetime)},
		due:   x.after(e.Lease),
	}
	return x.saveMessage(m)
}

// Claim implements [otp.Store]. It writes only where something is due.
func (s *Store) Claim(ctx context.Context, realms []string, limit int, lease time.Duration) ([]otp.Lease, error) {
	waiting, err := read(ctx, s, func(x *step) (int, error) {
		messages, err := x.due(realms, min(limit, 1))
		return len(messages), err
	})
	if err != nil || waiting == 0 {
		return nil, err
	}
	return write(ctx, s, func(x *step) ([]otp.Lease, error) { return x.claim(realms, limit, lease) })
}

func (x *step) claim(realms []string, limit int, lease time.Duration) ([]otp.Lease, error) {
	messages, err := x.due(realms, limit)
	if err != nil {
		return nil, err
	}
	leases := make([]otp.Lease, 0, len(messages))
	for _, m := range messages {
		if err := x.removeDue(m); err != nil {
			return nil, err
		}
		m.Fence++
		m.due = x.after(lease)
		if err := x.saveMessage(m); err != nil {
			return nil, err
		}
		leases = append(leases, m.Lease)
	}
	return leases, nil
}

// due returns up to limit messages of the realms that are due, those that are
// longest first.
func (x *step) due(realms []string, limit int) ([]message, error) {
	var messages []message
	c := x.tx.Bucket(due).Cursor()
	for _, realm := range slices.Compact(slices.Sorted(slices.Values(realms))) {
		prefix := realmPrefix(realm)
		n := 0
		for k, _ := c.Seek(prefix); n < limit && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			at, id, ok := splitDue(k[len(prefix):])
			if !ok {
				return nil, errEntry
			}
			if at > x.now {
				break
			}
			m, err := x.message(id)
			if err != nil {
				return nil, err
			}
			if m != nil {
				messages = append(messages, *m)
				n++
			}
		}
	}
	slices.SortStableFunc(messages, func(a, b message) int { return cmp.Compare(a.due, b.due) })
	return messages[:min(len(messages), max(limit, 0))], nil
}

// Settle implements [otp.Store].
func (s *Store) Settle(ctx context.Context, ends ...otp.Settlement) error {
	_, err := write(ctx, s, func(x *step) (none struct{}, err error) {
		for _, end := range ends {
			if err := x.settle(end); err != nil {
				return none, err
			}
		}
		return none, nil
	})
	return err
}

func (x *step) settle(end otp.Settlement) error {
	m, err := x.message([]byte(end.ID))
	if err != nil || m == nil || m.Fence != end.Fence {
		return err
	}
	if end.Again <= 0 {
		return x.dropMessage([]byte(end.ID))
	}
	if err := x.removeDue(*m); err != nil {
		return err
	}
	m.due = x.after(end.Again)
	return x.saveMessage(*m)
}

// message loads a message, or returns nil.
func (x *step) message(id []byte) (*message, error) {
	entry, err := x.get(outbox, id)
	if err != nil || entry == nil {
		return nil, err
	}
	return decodeMessage(id, entry)
}

func decodeMessage(id, entry []byte) (*message, error) {
	d := decoder{rest: entry}
	m := &message{Lease: otp.Lease{
		Envelope: otp.Envelope{
			ID:       string(id),
			Realm:    d.text(),
			Sealed:   []byte(d.text()),
			Lifetime: time.Duration(d.number()),
			Lease:    time.Duration(d.number()),
		},
		Handle:  otp.Handle(d.text()),
		Fence:   d.number(),
		Expires: time.Unix(0, d.number()),
	}}
	m.due = d.number()
	return m, d.done()
}

func (x *step) saveMessage(m message) error {
	var e encoder
	e.text(m.Realm)
	e.text(string(m.Sealed))
	e.number(int64(m.Lifetime))
	e.number(int64(m.Envelope.Lease))
	e.text(string(m.Handle))
	e.number(m.Fence)
	e.number(m.Expires.UnixNano())
	e.number(m.due)
	forgotten := m.Expires.Add(otp.Overdue).UnixNano()
	if err := x.put(outbox, []byte(m.ID), forgotten, e); err != nil {
		return err
	}
	return x.tx.Bucket(due).Put(dueKey(m), nil)
}

// dropMessage removes a message, expired or not.
func (x *step) dropMessage(id []byte) error {
	entry := x.tx.Bucket(outbox.name).Get(id)
	if len(entry) < headerLength {
		return errEntry
	}
	m, err := decodeMessage(id, entry[headerLength:])
	if err != nil {
		return err
	}
	if err := x.removeDue(*m); err != nil {
		return err
	}
	return x.delete(outbox, id)
}

func (x *step) removeDue(m message) error {
	x.writes++
	return x.tx.Bucket(due).Delete(dueKey(m))
}

// realmPrefix begins the keys of a realm, and of no other.
func realmPrefix(realm string) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(realm))), realm...)
}

func dueKey(m message) []byte {
	k := binary.BigEndian.AppendUint64(realmPrefix(m.Realm), uint64(m.due))
	return append(k, m.ID...)
}

func splitDue(k []byte) (at int64, id []byte, ok bool) {
	if len(k) <= 8 {
		return 0, nil, false
	}
	return int64(binary.BigEndian.Uint64(k)), k[8:], true
}
