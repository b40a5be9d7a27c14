// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"reflect"
	"testing"
	"time"
)

func TestHandleEncoding(t *testing.T) {
	want := handle{
		failures:    7,
		lastFailure: 1_700_000_000_000_000_001,
		clocks:      map[time.Duration]int64{time.Minute: 1, time.Hour: 1_700_000_000_000_000_002},
		challenges: []challenge{
			{group: "g", code: "c", expires: 3, attempts: 1, allowed: 5},
			{group: "\x00\xff", link: "l", expires: 4, allowed: 3, used: 5, browser: "b", session: "s"},
		},
	}
	got := handle{clocks: make(map[time.Duration]int64)}
	if err := got.decode(want.encode()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("decoded %+v, want %+v", got, want)
	}
}

// FuzzDecode reads damaged entries: an error is all that may come of them.
func FuzzDecode(f *testing.F) {
	h := handle{clocks: map[time.Duration]int64{1: 2}, challenges: []challenge{{group: "g", code: "c"}}}
	f.Add(h.encode())
	f.Add([]byte{})
	f.Add([]byte{0x80, 0x80})
	f.Fuzz(func(t *testing.T, entry []byte) {
		got := handle{clocks: make(map[time.Duration]int64)}
		if err := got.decode(entry); err == nil {
			again := handle{clocks: make(map[time.Duration]int64)}
			if err := again.decode(got.encode()); err != nil || !reflect.DeepEqual(got, again) {
				t.Errorf("encoding %+v again: %+v (%v)", got, again, err)
			}
		}
		if m, err := decodeMessage([]byte("id"), entry); err == nil && m.ID != "id" {
			t.Errorf("message is %+v", m)
		}
	})
}
