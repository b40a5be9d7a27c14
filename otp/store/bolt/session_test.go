// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestOlderSessions reads and renews sessions that earlier versions kept: of
// the first, and of those that knew owners.
func TestOlderSessions(t *testing.T) {
	for _, owner := range []string{"", "jane"} {
		clock := newClock()
		s := open(t, filepath.Join(t.TempDir(), "otp.db"), WithClock(clock.now))
		kept := sessionOf("alice")
		opened := clock.now()
		_, err := write(t.Context(), s, func(x *step) (struct{}, error) {
			var e encoder
			e.text(string(kept.Sealed))
			e.text(string(kept.Refresh))
			e.number(int64(kept.Lifetime))
			e.number(opened.UnixNano())
			e.number(opened.UnixNano())
			if owner != "" {
				e.text(owner)
				if err := x.put(owned, ownedKey(owner, kept.ID), opened.Add(kept.Lifetime).UnixNano(), nil); err != nil {
					return struct{}{}, err
				}
			}
			return struct{}{}, x.put(sessions, []byte(kept.ID), opened.Add(kept.Lifetime).UnixNano(), e)
		})
		if err != nil {
			t.Fatal(err)
		}
		if owner != "" {
			listed, err := s.Sessions(t.Context(), owner)
			if err != nil || len(listed) != 1 || !listed[0].Used.Equal(opened) || listed[0].Owner != owner {
				t.Errorf("listed are %+v, %v", listed, err)
			}
		}
		clock.advance(time.Hour)
		got, err := s.Renew(t.Context(), kept.ID, []otp.Tag{kept.Refresh}, "next")
		if err != nil || got.Owner != owner || !got.Created.Equal(opened) || !got.Used.Equal(clock.now()) {
			t.Errorf("renewed is %+v, %v", got, err)
		}
	}
}
