// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
)

// countingRoute counts what goes together with others, and what goes past them.
type countingRoute struct{ done, past int }

func (r *countingRoute) do(context.Context, command) (any, error) {
	r.done++
	return "OK", nil
}

func (r *countingRoute) all(_ context.Context, cs []command) []result {
	r.past += len(cs)
	return make([]result, len(cs))
}

// TestSettleOne: leases that end one by one, as many do at a time after calls
// that failed, go together with other operations and take no connections from
// them.
func TestSettleOne(t *testing.T) {
	s := openAt(t, []string{"redis://192.0.2.1:6379"})
	l := s.current.Load()
	l.health.begin.Do(func() {}) // its questions stay out of it
	r := new(countingRoute)
	l.choose(r)
	end := otp.Settlement{Lease: otp.Lease{Envelope: otp.Envelope{ID: "id", Realm: "r"}, Handle: "07alice", Fence: 1}}
	for _, tc := range []struct {
		ends []otp.Settlement
		want countingRoute
	}{
		{[]otp.Settlement{end}, countingRoute{done: 1}},
		{[]otp.Settlement{end, end}, countingRoute{past: 1}},
	} {
		*r = countingRoute{}
		if err := s.Settle(t.Context(), tc.ends...); err != nil || *r != tc.want {
			t.Errorf("%d leases: %+v, %v", len(tc.ends), *r, err)
		}
	}
}
