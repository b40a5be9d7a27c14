// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"errors"
	"time"
)

// errNonsense is the error of an answer that no script of ours gives.
var errNonsense = errors.New("redis: server gave an answer that isn't understood")

// reply reads a script's list of integers and strings. What isn't there or of
// another type is noted in bad.
type reply struct {
	values []any
	bad    bool
}

func newReply(answer any) *reply {
	values, ok := answer.([]any)
	return &reply{values: values, bad: !ok}
}

func (r *reply) err() error {
	if r.bad {
		return errNonsense
	}
	return nil
}

func read[T any](r *reply, i int) (value T) {
	ok := i < len(r.values)
	if ok {
		value, ok = r.values[i].(T)
	}
	r.bad = r.bad || !ok
	return value
}

func (r *reply) integer(i int) int64 { return read[int64](r, i) }
func (r *reply) text(i int) string   { return read[string](r, i) }
func (r *reply) list(i int) *reply   { return &reply{values: read[[]any](r, i), bad: r.bad} }
func (r *reply) instant(i int) time.Time {
	return time.UnixMicro(r.integer(i))
}

func (r *reply) duration(i int) time.Duration {
	return time.Duration(r.integer(i)) * time.Microsecond
}
