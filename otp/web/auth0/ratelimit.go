// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// The documented headers of limits. A start that was accepted tells what its
// network address has left, a refused request what refused it. What is refused
// before the store is asked, such as a missing parameter, uses nothing up, and
// how much is left isn't known then: only the limit itself is told.
const (
	limitHeader     = "X-RateLimit-Limit"
	remainingHeader = "X-RateLimit-Remaining"
	resetHeader     = "X-RateLimit-Reset" // Unix seconds
)

// tellQuota tells what is left after an accepted start.
func (d *Dialect) tellQuota(h http.Header, q otp.Quota) {
	if q.Limit > 0 {
		h.Set(limitHeader, strconv.Itoa(q.Limit))
		h.Set(remainingHeader, strconv.Itoa(q.Left))
		h.Set(resetHeader, d.unixAfter(q.Reset))
	}
}

// tellStartLimit tells how many starts there may be.
func (d *Dialect) tellStartLimit(h http.Header) {
	if limit := d.Service.StartLimit(); limit > 0 {
		h.Set(limitHeader, strconv.Itoa(limit))
	}
}

// tellRefusal tells which limit refused, and when to come back: go-auth0 goes
// by X-RateLimit-Reset alone.
func (d *Dialect) tellRefusal(h http.Header, err error) {
	if retry, ok := errors.AsType[*otp.RetryError](err); ok && retry.Limit > 0 {
		h.Set(limitHeader, strconv.Itoa(retry.Limit))
	}
	h.Set(remainingHeader, "0")
	h.Set(resetHeader, d.unixAfter(time.Duration(otp.RetryAfter(err))*time.Second))
}

// unixAfter is the first whole second at which d has passed, as Unix time.
func (d *Dialect) unixAfter(wait time.Duration) string {
	at := d.Issuer.Now().Add(wait + time.Second - 1)
	return strconv.FormatInt(at.Unix(), 10)
}
