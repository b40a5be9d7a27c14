// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"context"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Start implements [otp.Store].
func (s *Store) Start(ctx context.Context, c otp.Challenge, m *otp.Envelope, charges ...otp.Charge) (otp.Outcome, error) {
	return write(ctx, s, func(x *step) (otp.Outcome, error) { return x.start(c, m, charges) })
}

func (x *step) start(c otp.Challenge, m *otp.Envelope, charges []otp.Charge) (otp.Outcome, error) {
	h, err := x.handle(c.Handle)
	if err != nil {
		return otp.Outcome{}, err
	}
	clocks := x.clocks(h)
	refusal, err := clocks.charge(charges)
	if err != nil {
		return otp.Outcome{}, err
	}
	if refusal != nil {
		return *refusal, nil
	}
	if wait := h.coolDown(x.now); wait > 0 && c.Link == "" {
		return otp.Outcome{Result: otp.CoolingDown, Now: x.time(), RetryAfter: wait}, nil
	}
	h.add(c, x.now)
	levels, err := clocks.levels(charges)
	if err != nil {
		return otp.Outcome{}, err
	}

	if err := clocks.save(); err != nil {
		return otp.Outcome{}, err
	}
	if err := x.saveHandle(c.Handle, h); err != nil {
		return otp.Outcome{}, err
	}
	if m != nil {
		if err := x.queue(c.Handle, m); err != nil {
			return otp.Outcome{}, err
		}
	}
	return otp.Outcome{Result: otp.Accepted, Now: x.time(), Levels: levels}, nil
}
