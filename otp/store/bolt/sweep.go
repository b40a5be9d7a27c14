// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"slices"
	"time"
)

const (
	// sweepInterval is how often what expired is looked for.
	sweepInterval = time.Second
	// sweepLimit is how many entries a tick removes at the most; then the
	// next tick comes sooner.
	sweepLimit        = 1000
	busySweepInterval = sweepInterval / 10
	// sweepChunk and sweepTime bound what is removed in one transaction,
	// since requests that come meanwhile wait for it.
	sweepChunk = 50
	sweepTime  = time.Millisecond
)

func (s *Store) sweepRegularly(ctx context.Context) {
	timer := time.NewTimer(sweepInterval)
	defer timer.Stop()
	healthy := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		swept, err := s.sweep(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && healthy {
			s.logger.Error("expired entries can't be removed from the store", slog.String("file", s.file), slog.Any("error", err))
		}
		healthy = err == nil
		if swept >= sweepLimit {
			timer.Reset(busySweepInterval)
		} else {
			timer.Reset(sweepInterval)
		}
	}
}

// sweep removes up to sweepLimit entries that have expired, and returns how
// many it looked at.
func (s *Store) sweep(ctx context.Context) (swept int, err error) {
	for swept < sweepLimit {
		found, err := read(ctx, s, func(x *step) (int, error) { return len(x.expired(1)), nil })
		if err != nil || found == 0 {
			return swept, err
		}
		n, err := write(ctx, s, (*step).sweep)
		if err != nil {
			return swept, err
		}
		swept += n
	}
	return swept, nil
}

// expired returns the first keys of the index that are over.
func (x *step) expired(limit int) [][]byte {
	var keys [][]byte
	c := x.tx.Bucket(expiries).Cursor()
	for k, _ := c.First(); k != nil && len(keys) < limit; k, _ = c.Next() {
		if expiryOf(k) > x.now {
			break
		}
		keys = append(keys, bytes.Clone(k))
	}
	return keys
}

func (x *step) sweep() (swept int, err error) {
	begun := time.Now()
	for _, k := range x.expired(sweepChunk) {
		if err := x.sweepOne(k); err != nil {
			return swept, err
		}
		swept++
		if time.Since(begun) > sweepTime {
			break
		}
	}
	return swept, nil
}

// sweepOne removes an entry of the index and what it is for, or indexes that
// anew where it has been prolonged.
func (x *step) sweepOne(k []byte) error {
	indexed, key := expiryOf(k), k[9:]
	i := slices.IndexFunc(tables, func(t table) bool { return t.kind == k[8] })
	if i < 0 {
		return errEntry
	}
	t := tables[i]
	entry := x.tx.Bucket(t.name).Get(key)
	if len(entry) < headerLength {
		return x.index(t, key, indexed, never)
	}
	at, expires := header(entry)
	switch {
	case at != indexed:
		return x.index(t, key, indexed, never)
	case expires == never || expires > x.now:
		return x.reindex(t, key, entry, indexed, expires)
	case t.kind == outbox.kind:
		return x.dropMessage(key)
	}
	return x.delete(t, key)
}

func (x *step) reindex(t table, key, entry []byte, from, to int64) error {
	if err := x.index(t, key, from, to); err != nil {
		return err
	}
	entry = bytes.Clone(entry)
	binary.BigEndian.PutUint64(entry, uint64(to))
	x.writes++
	return x.tx.Bucket(t.name).Put(key, entry)
}
