// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"log/slog"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/store/redis"
	"github.com/caddy-otp/caddy-otp/otp/text"
)

// house is the domain on a Redis, inside the test process, for what takes too
// long by HTTP. Its messages stay in the outbox, or go nowhere.
type house struct {
	*otp.Service
	store *recorder
}

// recorder is a store that keeps what the last start gave it.
type recorder struct {
	otp.Store
	mute      bool // nothing is put into the outbox
	challenge otp.Challenge
	message   *otp.Envelope
}

func (r *recorder) Start(ctx context.Context, c otp.Challenge, m *otp.Envelope, charges ...otp.Charge) (otp.Outcome, error) {
	r.challenge, r.message = c, m
	if r.mute {
		m = nil
	}
	return r.Store.Start(ctx, c, m, charges...)
}

// realm is the house's.
const realm = "app.example.com"

// newHouse returns a house with the default throttles whose messages are
// handed to a sender, at once, or, with none, are left in the outbox.
func newHouse(t *testing.T, redisURL string, sender otp.Sender) *house {
	t.Helper()
	opened, err := redis.Open(redisURL, redis.WithTimeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	keys, err := otp.NewKeys([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	composer, err := text.NewComposer(text.Options{Host: realm})
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{Store: opened}
	logger := slog.New(slog.DiscardHandler)
	courier := otp.NewCourier(r, otp.DefaultTimeout, logger)
	if sender != nil {
		courier.Start()
		t.Cleanup(courier.Stop)
	} else {
		courier.Stop()
		sender = nowhere{}
	}
	return &house{store: r, Service: otp.NewService(otp.Config{
		Realm:     realm,
		PublicURL: &url.URL{Scheme: "https", Host: realm},
		Keys:      keys,
		Store:     r,
		Courier:   courier,
		Watch:     otp.NewWatch(r, otp.DefaultTimeout, logger),
		Composer:  composer,
		Senders:   map[otp.Channel][]otp.Sender{otp.Email: {sender}, otp.SMS: {sender}},
		Countries: []string{"DE"},
		Throttles: otp.DefaultThrottles(),
		Timeout:   10 * time.Second,
	})}
}

// nowhere takes every message.
type nowhere struct{}

func (nowhere) Send(context.Context, otp.Message) error { return nil }

// ask starts for an address as the pages do: code and link.
func (h *house) ask(t *testing.T, address otp.Address, from netip.Addr) {
	t.Helper()
	_, err := h.Start(t.Context(), otp.StartRequest{
		Dialect: "portal", Address: address, Purpose: otp.Login, Form: otp.FormBoth,
		Code:     otp.CodePolicy{Length: 6, Lifetime: otp.MaxCodeLifetime, SMSLifetime: 5 * time.Minute, Attempts: attempts, Keep: otp.MaxChallenges},
		ClientIP: from, Locale: "en", LinkPath: "/.otp/link#", LinkPayload: []byte("/deep/page?x=1"),
	})
	if err != nil {
		t.Fatal(err)
	}
}
