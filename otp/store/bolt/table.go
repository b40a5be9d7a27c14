// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"encoding/binary"
	"errors"
)

// table is a bucket whose entries expire. Each begins with a header: the
// instant under which the entry is in the index of expiries, and the one at
// which it expires, both 0 where it never does.
//
// An entry that is prolonged stays where it is in the index; the sweep finds
// it too early and indexes it anew. So prolonging costs one write.
type table struct {
	name []byte
	kind byte
}

var (
	handles     = table{[]byte("handles"), 'h'}
	throttles   = table{[]byte("throttles"), 't'}
	accounts    = table{[]byte("accounts"), 'a'}
	sessions    = table{[]byte("sessions"), 's'}
	revocations = table{[]byte("revocations"), 'v'}
	outbox      = table{[]byte("outbox"), 'o'}
	records     = table{[]byte("records"), 'r'}
	// owned has a key for each session of an owner: the owner's name, a
	// blank, the session's id.
	owned = table{[]byte("owned"), 'w'}

	tables = []table{handles, throttles, accounts, sessions, revocations, outbox, records, owned}

	// expiries has a key for each entry that expires: when, its table, its key.
	expiries = []byte("expiries")
	// due has a key for each message: its realm, when it is due, its id.
	due = []byte("due")

	bucketNames = func() [][]byte {
		names := [][]byte{expiries, due}
		for _, t := range tables {
			names = append(names, t.name)
		}
		return names
	}()
)

const headerLength = 16

var errEntry = errors.New("entry of the store can't be read")

// never is the instant of entries that don't expire.
const never = 0

// get returns an entry, or nil where there is none or it has expired. It is
// valid for the step.
func (x *step) get(t table, key []byte) ([]byte, error) {
	entry := x.tx.Bucket(t.name).Get(key)
	if entry == nil {
		return nil, nil
	}
	if len(entry) < headerLength {
		return nil, errEntry
	}
	if _, expires := header(entry); expires != never && expires <= x.now {
		return nil, nil
	}
	return entry[headerLength:], nil
}

func header(entry []byte) (indexed, expires int64) {
	return int64(binary.BigEndian.Uint64(entry)), int64(binary.BigEndian.Uint64(entry[8:]))
}

// put writes an entry that expires at an instant, or never.
func (x *step) put(t table, key []byte, expires int64, content []byte) error {
	bucket := x.tx.Bucket(t.name)
	var indexed int64
	if old := bucket.Get(key); len(old) >= headerLength {
		indexed, _ = header(old)
	}
	if prolonged := indexed != never && expires >= indexed; !prolonged {
		if err := x.index(t, key, indexed, expires); err != nil {
			return err
		}
		indexed = expires
	}
	entry := make([]byte, headerLength, headerLength+len(content))
	binary.BigEndian.PutUint64(entry, uint64(indexed))
	binary.BigEndian.PutUint64(entry[8:], uint64(expires))
	x.writes++
	return bucket.Put(key, append(entry, content...))
}

// delete removes an entry, if there is one.
func (x *step) delete(t table, key []byte) error {
	bucket := x.tx.Bucket(t.name)
	entry := bucket.Get(key)
	if entry == nil {
		return nil
	}
	if len(entry) >= headerLength {
		indexed, _ := header(entry)
		if err := x.index(t, key, indexed, never); err != nil {
			return err
		}
	}
	x.writes++
	return bucket.Delete(key)
}

// index moves an entry in the index of expiries.
func (x *step) index(t table, key []byte, from, to int64) error {
	bucket := x.tx.Bucket(expiries)
	if from != never {
		x.writes++
		if err := bucket.Delete(expiryKey(t, key, from)); err != nil {
			return err
		}
	}
	if to != never {
		x.writes++
		return bucket.Put(expiryKey(t, key, to), nil)
	}
	return nil
}

func expiryOf(k []byte) int64 { return int64(binary.BigEndian.Uint64(k)) }

func expiryKey(t table, key []byte, at int64) []byte {
	k := make([]byte, 9, 9+len(key))
	binary.BigEndian.PutUint64(k, uint64(at))
	k[8] = t.kind
	return append(k, key...)
}
