// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

var recordPromises = []promise{
	{"a key without a record has none", func(t *trial) {
		t.wantRecord("key", nil)
	}},
	{"a record is created once and replaced by who knows it", func(t *trial) {
		one, two := []byte("one\x00\xff\r\n"), []byte("two")
		t.swap(true, "key", nil, one, 0)
		t.wantRecord("key", one)
		t.swap(false, "key", nil, two, 0)
		t.swap(false, "key", two, two, 0)
		t.swap(false, "key", []byte("one"), two, 0)
		t.wantRecord("key", one)
		t.swap(true, "key", one, two, 0)
		t.wantRecord("key", two)
		t.wantRecord("other", nil)
		t.swap(false, "other", two, one, 0)
		t.wantRecord("other", nil)
	}},
	{"an empty old is none", func(t *trial) {
		t.swap(true, "key", []byte{}, []byte("one"), 0)
		t.swap(false, "key", []byte{}, []byte("two"), 0)
	}},
	{"an empty next is an error and changes nothing", func(t *trial) {
		t.swap(true, "key", nil, []byte("one"), 0)
		for _, next := range [][]byte{nil, {}} {
			swapped, err := t.store.Swap(t.Context(), "key", []byte("one"), next, 0)
			if err == nil || swapped || errors.Is(err, otp.ErrUnavailable) {
				t.Fatalf("swapped is %t, error is %v, want an error that isn't ErrUnavailable", swapped, err)
			}
		}
		t.wantRecord("key", []byte("one"))
	}},
	{"a record is the caller's own", func(t *trial) {
		value := []byte("one")
		t.swap(true, "key", nil, value, 0)
		value[0] = 'X'
		t.wantRecord("key", []byte("one"))
		got, err := t.store.Get(t.Context(), "key")
		if err != nil {
			t.Fatal(err)
		}
		got[0] = 'X'
		t.wantRecord("key", []byte("one"))
	}},
	{"a record can be as large as a form that is kept", func(t *trial) {
		large, larger := bytes.Repeat([]byte("\x00 \r\n"), 1<<19), bytes.Repeat([]byte("\xff"), 2<<20+100)
		t.swap(true, "key", nil, large, time.Hour)
		t.wantRecord("key", large)
		t.swap(true, "key", large, larger, time.Hour)
		t.wantRecord("key", larger)
		t.swap(false, "key", large, []byte("one"), time.Hour)
	}},
	{"a record lives for its ttl", func(t *trial) {
		one, two := []byte("one"), []byte("two")
		t.swap(true, "key", nil, one, time.Hour)
		t.advance(time.Hour - margin)
		t.wantRecord("key", one)
		t.swap(false, "key", nil, two, 0)
		t.advance(2 * margin)
		t.wantRecord("key", nil)
		t.swap(false, "key", one, two, 0)
		t.swap(true, "key", nil, two, 0)
		t.wantRecord("key", two)
	}},
	{"a swap sets the ttl anew", func(t *trial) {
		one, two := []byte("one"), []byte("two")
		t.swap(true, "short", nil, one, time.Minute)
		t.swap(true, "short", one, two, time.Hour)
		t.swap(true, "long", nil, one, time.Hour)
		t.swap(true, "long", one, two, time.Minute)
		t.swap(true, "for ever", nil, one, time.Minute)
		t.swap(true, "for ever", one, two, 0)
		t.advance(time.Minute + margin)
		t.wantRecord("short", two)
		t.wantRecord("long", nil)
		t.advance(400 * 24 * time.Hour)
		t.wantRecord("short", nil)
		t.wantRecord("for ever", two)
	}},
	{"of 100 who create a record one does", func(t *trial) {
		var mu sync.Mutex
		n, swaps := 0, 0
		t.parallel(100, func(ctx context.Context) (otp.Outcome, error) {
			mu.Lock()
			n++
			value := fmt.Appendf(nil, "value %d", n)
			mu.Unlock()
			swapped, err := t.store.Swap(ctx, "key", nil, value, 0)
			if swapped {
				mu.Lock()
				defer mu.Unlock()
				swaps++
			}
			return otp.Outcome{}, err
		})
		if swaps != 1 {
			t.Fatalf("%d created the record, want 1", swaps)
		}
	}},
}

func (t *trial) swap(want bool, key string, old, next []byte, ttl time.Duration) {
	t.Helper()
	got, err := t.store.Swap(t.Context(), key, old, next, ttl)
	if err != nil {
		t.Fatalf("swap: %v", err)
	}
	if got != want {
		t.Fatalf("swapped is %t, want %t", got, want)
	}
}

func (t *trial) wantRecord(key string, want []byte) {
	t.Helper()
	got, err := t.store.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	if !bytes.Equal(got, want) || (got == nil) != (want == nil) {
		t.Fatalf("record of %s is %q, want %q", key, got, want)
	}
}
