// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestOutage(t *testing.T) {
	told := fmt.Errorf("%w: %w", ErrUnavailable, ErrTold)
	defect := errors.New("defect")
	for _, test := range []struct {
		name  string
		errs  []error // one each second; nil: it works
		tells []bool
	}{
		{"short", []error{ErrUnavailable, ErrUnavailable, nil}, []bool{false, false, false}},
		{"long", []error{ErrUnavailable, ErrUnavailable, ErrUnavailable, ErrUnavailable, nil}, []bool{false, false, true, false, true}},
		{"a defect", []error{defect, defect, nil}, []bool{true, false, true}},
		{"that becomes a defect", []error{ErrUnavailable, defect, nil}, []bool{false, true, true}},
		{"told by the store", []error{ErrUnavailable, told, told, told, told, nil}, []bool{false, false, false, false, false, false}},
		{"again", []error{defect, nil, nil, defect}, []bool{true, true, false, true}},
	} {
		var o outage
		for i, err := range test.errs {
			var tells bool
			if err != nil {
				tells = o.fails(err, time.Unix(int64(i), 0))
			} else {
				tells = o.ends()
			}
			if tells != test.tells[i] {
				t.Errorf("%s: after %ds it tells: %t", test.name, i, tells)
			}
		}
	}
}
