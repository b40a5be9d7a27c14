// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"errors"
	"time"
)

// ErrTold is in the chain of an error of a store that has told the log of it
// itself, once for everything that it stops.
var ErrTold = errors.New("the log tells more")

// hiccup is how long something may fail before the log is told.
const hiccup = 2 * time.Second

// outage is a row of failures of something that is tried again and again. The
// log is told once of each that lasts.
type outage struct {
	since time.Time
	told  bool
}

// fails notes a failure and reports whether to tell of it now: it lasts, or
// waiting won't help, and nobody else has told.
func (o *outage) fails(err error, now time.Time) (tell bool) {
	if o.since.IsZero() {
		o.since = now
	}
	passing := errors.Is(err, ErrUnavailable) && now.Sub(o.since) < hiccup
	if o.told || passing || errors.Is(err, ErrTold) {
		return false
	}
	o.told = true
	return true
}

// lasts reports whether it has failed for longer than a hiccup.
func (o *outage) lasts(now time.Time) bool { return !o.since.IsZero() && now.Sub(o.since) >= hiccup }

// ends notes that it works, and reports whether to tell of that.
func (o *outage) ends() (tell bool) {
	tell = o.told
	*o = outage{}
	return tell
}
