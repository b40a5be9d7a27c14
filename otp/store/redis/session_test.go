// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"fmt"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestOlderSessions renews sessions that earlier versions kept: of the first,
// and of those that knew owners.
func TestOlderSessions(t *testing.T) {
	_, s := serve(t)
	for n, parts := range []int{5, 6} {
		start(t, s, int64(n))
		wantVerify(t, s, int64(n), "code", otp.Verified)
		kept := testSession(int64(n))
		key := s.key(kept.ID.Shard(), "s", string(kept.ID))
		ask(t, s, "EVAL", fmt.Sprintf(`
			local session = cmsgpack.unpack(redis.call('GET', KEYS[1]))
			for i = %d, #session do session[i] = nil end
			return redis.call('SET', KEYS[1], cmsgpack.pack(session), 'KEEPTTL')
		`, parts+1), 1, key)
		got, err := s.Renew(t.Context(), kept.ID, []otp.Tag{kept.Refresh}, testTag(int64(n), "next"))
		if err != nil || !got.Used.After(got.Created) {
			t.Fatalf("with %d parts: renewed is %+v, %v", parts, got, err)
		}
		again, err := s.Renew(t.Context(), kept.ID, []otp.Tag{got.Refresh}, kept.Refresh)
		if err != nil || !again.Created.Equal(got.Created) || string(again.Sealed) != string(kept.Sealed) {
			t.Errorf("with %d parts: renewed again is %+v, %v", parts, again, err)
		}
	}
}
