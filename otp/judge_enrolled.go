// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
)

// enrolmentTries is how often a session is made anew for somebody whose second
// factors change meanwhile. Twice is enough where they don't.
const enrolmentTries = 4

// changedRecord is the error of the right secret for a session that was made
// for another record: value is what the record is now. Nothing was used up.
type changedRecord struct{ value []byte }

func (*changedRecord) Error() string { return "a record that the session depends on is another" }

// judgeEnrolled has the store judge a guess at a session that depends on what
// its owner has of second factors. judge makes the session for what they have,
// and must have the store open it only while that is so. Mostly they have none:
// so that is tried first, and only who presents what is right learns, by a
// second step, that they have. All tries have the time of one.
func (s *Service) judgeEnrolled(ctx context.Context, owner string, judge func(context.Context, enrolment, *ExpectedRecord) (Verification, error)) (Verification, error) {
	ctx, cancel := s.storeContext(ctx)
	defer cancel()
	record := s.recordOf(enrolmentUse, owner)
	var sealed []byte
	for range enrolmentTries {
		value, _ := record.open(sealed)
		e, err := decodeEnrolment(value, sealed != nil)
		if err != nil {
			return Verification{}, err
		}
		v, err := judge(ctx, e, &ExpectedRecord{Key: record.key, Value: sealed})
		changed, ok := errors.AsType[*changedRecord](err)
		if !ok {
			return v, err
		}
		sealed = changed.value
	}
	return Verification{}, unavailable(ErrUnavailable)
}
