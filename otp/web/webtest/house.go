// SPDX-License-Identifier: Apache-2.0

package webtest

import (
	"crypto/rand"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/store/bolt"
)

// house is what sites of one realm share.
type house struct {
	store   *store
	keys    *otp.Keys
	courier *otp.Courier
	watch   *otp.Watch
	frozen  time.Time
	ahead   atomic.Int64
}

// furnish opens a store for the site, and all that stands on it.
func (s *Site) furnish(o Options) {
	s.house = new(house)
	if o.Frozen {
		s.frozen = time.Now()
	}
	var err error
	if s.keys, err = otp.NewKeys([]byte(rand.Text() + rand.Text())); err != nil {
		s.Fatal(err)
	}
	if o.Store == nil {
		o.Store = s.openStore()
	}
	s.store = &store{Store: o.Store}
	s.courier = otp.NewCourier(s.store, time.Minute, s.Logger)
	s.watch = otp.NewWatch(s.store, time.Minute, s.Logger)
}

func (s *Site) openStore() otp.Store {
	db, err := bolt.Open(filepath.Join(s.TempDir(), "otp.db"), bolt.WithClock(s.Now))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := db.Close(); err != nil {
			s.Error(err)
		}
	})
	return db
}

// run starts what stands on the store, until the test ends.
func (s *Site) run() {
	s.courier.Start()
	s.Cleanup(s.courier.Stop)
	s.watch.Start()
	s.Cleanup(s.watch.Stop)
}
