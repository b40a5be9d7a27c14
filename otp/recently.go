// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"sync"
	"time"
)

// recently remembers a bounded number of names for a while. It is safe for
// concurrent use.
type recently struct {
	limit int
	span  time.Duration

	mu   sync.Mutex
	seen map[string]time.Time
}

func newRecently(limit int, span time.Duration) *recently {
	return &recently{limit: limit, span: span, seen: make(map[string]time.Time)}
}

// first reports whether a name wasn't given within the span before now. Where
// there are too many names, older ones are forgotten before their time.
func (r *recently) first(name string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.seen[name]; ok && now.Sub(last) < r.span {
		return false
	}
	if len(r.seen) >= r.limit {
		clear(r.seen)
	}
	r.seen[name] = now
	return true
}
