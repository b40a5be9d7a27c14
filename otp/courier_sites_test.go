// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"net/url"
	"testing"
	"testing/synctest"
	"time"
)

// TestEachSiteSendsItsOwn: of the sites of a realm the one that a message was
// asked for at words and sends it, and where this node doesn't know that one,
// another that can.
func TestEachSiteSendsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := func(h *house, host string, channels ...Channel) func(*Config) {
			return func(c *Config) {
				c.Realm = "staff"
				c.PublicURL = &url.URL{Scheme: "https", Host: host}
				c.Countries = []string{"DE"}
				sender := c.Senders[Email][0]
				c.Senders = make(map[Channel][]Sender)
				for _, channel := range channels {
					c.Senders[channel] = []Sender{sender}
				}
				if h != nil {
					c.Courier, c.Watch = h.courier, h.watch
				}
			}
		}
		a := newHouse(t, site(nil, "a.example.com", Email))
		b := newHouseOn(t, a.store, site(a, "b.example.org", Email, SMS))
		gone := newHouseOn(t, a.store, site(nil, "gone.example.net", Email, SMS)) // its node is gone: nobody starts its courier
		a.courier.Start()
		defer a.courier.Stop()

		a.mustStart(t, "jane@example.com")
		b.mustStart(t, "jane@example.com")
		b.mustStart(t, "+491701234567")
		synctest.Wait()
		if got, of := len(a.sender.all()), len(b.sender.all()); got != 1 || of != 2 {
			t.Fatalf("a has sent %d, b %d", got, of)
		}
		gone.mustStart(t, "joe@example.com")
		gone.mustStart(t, "+491701234568")
		time.Sleep(deliveryLease + 2*claimInterval)
		synctest.Wait()
		if got, of := len(a.sender.all()), len(b.sender.all()); got != 2 || of != 3 {
			t.Errorf("a has sent %d, b %d", got, of)
		}
		if sent := b.sender.all()[2]; sent.Channel != SMS || sent.Site != "gone.example.net" {
			t.Errorf("%+v", sent)
		}
		if a.store.waiting() != 0 {
			t.Error("some are still in the outbox")
		}
	})
}
