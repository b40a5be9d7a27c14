// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

var contextPromises = []promise{
	{"a context that is done makes ErrUnavailable", func(t *trial) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		t.wantUnavailable(ctx)
	}},
	{"a deadline that is over makes ErrUnavailable", func(t *trial) {
		ctx, cancel := context.WithTimeout(t.Context(), 0)
		defer cancel()
		t.wantUnavailable(ctx)
	}},
}

// wantUnavailable runs every operation with a context that is done.
func (t *trial) wantUnavailable(ctx context.Context) {
	alice := newPerson("alice")
	session := newSession(alice.handle)
	message := newMessage("r")
	for name, operation := range map[string]func() error{
		"Start": func() error {
			_, err := t.store.Start(ctx, alice.challenge("g", "1"), message)
			return err
		},
		"Verify": func() error {
			_, err := t.store.Verify(ctx, alice.guess("g", "1"), session)
			return err
		},
		"Unlock": func() error { return t.store.Unlock(ctx, alice.handle) },
		"Claim": func() error {
			_, err := t.store.Claim(ctx, []string{"r"}, 1, claimLease)
			return err
		},
		"Settle": func() error {
			return t.store.Settle(ctx, otp.Settlement{Lease: otp.Lease{Envelope: *message, Handle: alice.handle, Fence: 1}})
		},
		"Renew": func() error {
			_, err := t.store.Renew(ctx, session.ID, []otp.Tag{session.Refresh}, tag("next"))
			return err
		},
		"Revoke": func() error {
			return t.store.Revoke(ctx, otp.Revocation{Session: session.ID, Lifetime: time.Hour})
		},
		"Sessions": func() error {
			_, err := t.store.Sessions(ctx, "owner")
			return err
		},
		"Revocations": func() error {
			_, _, err := t.store.Revocations(ctx, 0)
			return err
		},
		"Get": func() error {
			_, err := t.store.Get(ctx, "key")
			return err
		},
		"Swap": func() error {
			_, err := t.store.Swap(ctx, "key", nil, []byte("value"), 0)
			return err
		},
	} {
		if err := operation(); !errors.Is(err, otp.ErrUnavailable) {
			t.Errorf("%s: error is %v, want ErrUnavailable", name, err)
		}
	}
}
