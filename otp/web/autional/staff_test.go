// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

const (
	jane       = "jane@example.com"
	janesPhone = "+4917012345678"
)

// staff is a directory of people by all of their addresses.
type staff struct {
	mu     sync.Mutex
	people []otp.Person
	down   bool
}

func (s *staff) Find(_ context.Context, a otp.Address) (otp.Person, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return otp.Person{}, otp.ErrUnavailable
	}
	for _, p := range s.people {
		if slices.ContainsFunc(p.Addresses, func(of otp.Address) bool { return of.String() == a.String() }) {
			return p, nil
		}
	}
	return otp.Person{}, otp.ErrNobody
}

// change changes the directory while the site is running.
func (s *staff) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

// member is somebody of the staff.
func member(mfa bool, typed ...string) otp.Person {
	p := otp.Person{Subject: "staff " + typed[0], MFA: mfa}
	for _, text := range typed {
		channel := otp.Email
		if strings.HasPrefix(text, "+") {
			channel = otp.SMS
		}
		p.Addresses = append(p.Addresses, otp.RestoreAddress(channel, text))
	}
	return p
}

// newStaffSite is a site of these people.
func newStaffSite(t *testing.T, o webtest.Options, people ...otp.Person) (*site, *staff) {
	t.Helper()
	d := &staff{people: people}
	o.SMS = true
	o.Domain = func(c *otp.Config) {
		c.Directory = d
		c.Throttles.Address = []otp.Throttle{{Events: 100, Window: time.Hour}}
	}
	return newSite(t, o), d
}
