// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-otp/caddy-otp/otp"
)

// answering is a store that answers everything alike.
type answering struct{ err error }

func (s answering) Start(context.Context, otp.Challenge, *otp.Envelope, ...otp.Charge) (otp.Outcome, error) {
	return otp.Outcome{Result: otp.Accepted}, s.err
}

func (s answering) Verify(context.Context, otp.Guess, otp.SessionRecord, ...otp.Charge) (otp.Outcome, error) {
	return otp.Outcome{Result: otp.Verified}, s.err
}
func (s answering) Unlock(context.Context, otp.Handle) error { return s.err }
func (s answering) Claim(context.Context, []string, int, time.Duration) ([]otp.Lease, error) {
	return make([]otp.Lease, 1), s.err
}
func (s answering) Settle(context.Context, ...otp.Settlement) error { return s.err }
func (s answering) Renew(context.Context, otp.SessionID, []otp.Tag, otp.Tag) (otp.SessionRecord, error) {
	return otp.SessionRecord{ID: "renewed"}, s.err
}
func (s answering) Revoke(context.Context, otp.Revocation) error { return s.err }
func (s answering) Sessions(context.Context, string) ([]otp.SessionRecord, error) {
	return make([]otp.SessionRecord, 2), s.err
}

func (s answering) Revocations(context.Context, otp.Cursor) ([]otp.Revocation, otp.Cursor, error) {
	return make([]otp.Revocation, 3), 4, s.err
}
func (s answering) Get(context.Context, string) ([]byte, error) { return []byte("value"), s.err }
func (s answering) Swap(context.Context, string, []byte, []byte, time.Duration) (bool, error) {
	return true, s.err
}

// storeCalls call each operation, check its answer, and return its error.
var storeCalls = map[string]func(t *testing.T, ctx context.Context, s otp.Store) error{
	"start": func(t *testing.T, ctx context.Context, s otp.Store) error {
		o, err := s.Start(ctx, otp.Challenge{}, nil)
		return answered(t, o.Result, otp.Accepted, err)
	},
	"verify": func(t *testing.T, ctx context.Context, s otp.Store) error {
		o, err := s.Verify(ctx, otp.Guess{}, otp.SessionRecord{})
		return answered(t, o.Result, otp.Verified, err)
	},
	"unlock": func(_ *testing.T, ctx context.Context, s otp.Store) error { return s.Unlock(ctx, "") },
	"claim": func(t *testing.T, ctx context.Context, s otp.Store) error {
		leases, err := s.Claim(ctx, nil, 1, 0)
		return answered(t, len(leases), 1, err)
	},
	"settle": func(_ *testing.T, ctx context.Context, s otp.Store) error { return s.Settle(ctx) },
	"renew": func(t *testing.T, ctx context.Context, s otp.Store) error {
		r, err := s.Renew(ctx, "", nil, "")
		return answered(t, r.ID, "renewed", err)
	},
	"revoke": func(_ *testing.T, ctx context.Context, s otp.Store) error {
		return s.Revoke(ctx, otp.Revocation{})
	},
	"sessions": func(t *testing.T, ctx context.Context, s otp.Store) error {
		records, err := s.Sessions(ctx, "")
		return answered(t, len(records), 2, err)
	},
	"revocations": func(t *testing.T, ctx context.Context, s otp.Store) error {
		told, next, err := s.Revocations(ctx, 0)
		return answered(t, len(told)+int(next), 7, err)
	},
	"get": func(t *testing.T, ctx context.Context, s otp.Store) error {
		value, err := s.Get(ctx, "")
		return answered(t, string(value), "value", err)
	},
	"swap": func(t *testing.T, ctx context.Context, s otp.Store) error {
		swapped, err := s.Swap(ctx, "", nil, nil, 0)
		return answered(t, swapped, true, err)
	},
}

func answered[T comparable](t *testing.T, got, want T, err error) error {
	t.Helper()
	if got != want {
		t.Errorf("answered %v, want %v", got, want)
	}
	return err
}

// TestStoreIsMeasured: each operation is counted once, where it belongs, and
// its answer passed on.
func TestStoreIsMeasured(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	own := newMeters()
	registry.MustRegister(own.storeTimes, own.storeErrors)
	if len(storeCalls) != len(storeOperations) {
		t.Fatalf("%d of %d operations are tested", len(storeCalls), len(storeOperations))
	}
	givenUp, cancel := context.WithCancel(t.Context())
	cancel()
	late, end := context.WithDeadline(t.Context(), time.Now())
	defer end()
	unavailable := fmt.Errorf("dial: %w", otp.ErrUnavailable)
	for _, test := range []struct {
		name          string
		ctx           context.Context
		err           error
		times, errors float64
	}{
		{"done", t.Context(), nil, 1, 0},
		{"no session", t.Context(), fmt.Errorf("of a store: %w", otp.ErrNoSession), 1, 0},
		{"used before", t.Context(), otp.ErrReused, 1, 0},
		{"unavailable", t.Context(), unavailable, 0, 1},
		{"late", late, unavailable, 0, 1},
		{"given up", givenUp, unavailable, 0, 0},
		{"a defect", t.Context(), errors.New("defect"), 0, 1},
	} {
		for operation, call := range storeCalls {
			s := own.measured(answering{test.err}, new(BoltStore))
			before := samples(t, registry)
			if err := call(t, test.ctx, s); err != test.err {
				t.Errorf("%s, %s: the error is %v", test.name, operation, err)
			}
			changed := 0.0
			after := samples(t, registry)
			for key, n := range after {
				changed += n - before[key]
			}
			timed, failed := "store_operation_seconds/"+operation+"/bolt", "store_errors_total/"+operation+"/bolt"
			if after[timed]-before[timed] != test.times || after[failed]-before[failed] != test.errors || changed != test.times+test.errors {
				t.Errorf("%s, %s: %v timed, %v failed, %v in all", test.name, operation, after[timed]-before[timed], after[failed]-before[failed], changed)
			}
		}
	}
	for i, name := range storeOperations {
		if name == "" || slices.Index(storeOperations[:], name) != i {
			t.Errorf("operation %d is called %q", i, name)
		}
	}
}
