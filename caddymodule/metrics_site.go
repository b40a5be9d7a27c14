// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
)

// The values that labels can have on every site.
var (
	channelLabels = []string{string(otp.Email), string(otp.SMS), other}
	purposeLabels = []string{string(otp.Login), string(otp.MFA), other}
	methodLabels  = []string{string(otp.ByCode), string(otp.ByLink), string(otp.ByTOTP), string(otp.ByRecovery), other}
)

// siteMeters count what comes of the work of a site. Sites of one realm count
// together.
type siteMeters struct {
	realm    string
	dialects []string

	starts, verifications, tries *grid
}

// newSiteMeters returns the meters of a site of a realm with some dialects.
func newSiteMeters(realm string, dialects []string) *siteMeters {
	dialects = append(dialects[:len(dialects):len(dialects)], other)
	return &siteMeters{
		realm:         realm,
		dialects:      dialects,
		starts:        newGrid(meters.starts, realm, dialects, channelLabels, purposeLabels, otp.Endings()),
		verifications: newGrid(meters.verifications, realm, dialects, purposeLabels, methodLabels, otp.Endings()),
		tries:         newGrid(meters.tries, realm, channelLabels, otp.TryEndings()),
	}
}

// show has series at zero of what should be seen to rise from there: the
// decisions on requests, and what comes of logins over some channels and, if
// there are second factors, the faults of those. A configuration that never
// runs leaves none.
func (m *siteMeters) show(channels []otp.Channel, factors bool) {
	for _, decision := range gate.Decisions() {
		meters.requests.WithLabelValues(m.realm, decision)
	}
	for _, dialect := range m.dialects[:len(m.dialects)-1] {
		for _, ending := range startEndings {
			for _, c := range channels {
				m.StartEnded(otp.StartEnd{Dialect: dialect, Channel: c, Purpose: otp.Login, Ending: ending}, 0)
			}
		}
		for _, ending := range verificationEndings {
			m.VerificationEnded(otp.VerificationEnd{Dialect: dialect, Purpose: otp.Login, Method: otp.ByCode, Ending: ending}, 0)
		}
		for _, ending := range faults {
			m.VerificationEnded(otp.VerificationEnd{Dialect: dialect, Purpose: otp.Login, Method: otp.ByLink, Ending: ending}, 0)
			if factors {
				m.VerificationEnded(otp.VerificationEnd{Dialect: dialect, Purpose: otp.MFA, Method: otp.ByCode, Ending: ending}, 0)
			}
		}
	}
	for _, c := range channels {
		for ending := range otp.TryEndings() {
			m.tries.counter(placeOn(channelLabels, string(c)), ending)
		}
		meters.waits.WithLabelValues(m.realm, string(c))
		meters.tryTimes.WithLabelValues(m.realm, string(c))
	}
}

// The endings of logins that are counted from zero.
var (
	startEndings = []otp.Ending{
		otp.EndedAccepted, otp.EndedWithheld, otp.EndedThrottled, otp.EndedCoolDown, otp.EndedBusy, otp.EndedUnavailable, otp.EndedError,
	}
	verificationEndings = []otp.Ending{
		otp.EndedVerified, otp.EndedWrong, otp.EndedExpired, otp.EndedExhausted, otp.EndedThrottled, otp.EndedCoolDown, otp.EndedBusy,
		otp.EndedUnavailable, otp.EndedError,
	}
	faults = []otp.Ending{otp.EndedUnavailable, otp.EndedError}
)

// StartEnded adds n starts that ended so.
func (m *siteMeters) StartEnded(e otp.StartEnd, n float64) {
	m.starts.counter(placeOn(m.dialects, e.Dialect), placeOn(channelLabels, string(e.Channel)),
		placeOn(purposeLabels, string(e.Purpose)), int(e.Ending)).Add(n)
}

// VerificationEnded adds n verifications that ended so.
func (m *siteMeters) VerificationEnded(e otp.VerificationEnd, n float64) {
	m.verifications.counter(placeOn(m.dialects, e.Dialect), placeOn(purposeLabels, string(e.Purpose)),
		placeOn(methodLabels, string(e.Method)), int(e.Ending)).Add(n)
}

// MessageTried counts a try to deliver a message.
func (m *siteMeters) MessageTried(t otp.MessageTry) {
	channel := placeOn(channelLabels, string(t.Channel))
	m.tries.counter(channel, int(t.Ending)).Inc()
	if t.Took > 0 {
		meters.tryTimes.WithLabelValues(m.realm, channelLabels[channel]).Observe(t.Took.Seconds())
	}
	if t.Ending == otp.TryDelivered {
		meters.waits.WithLabelValues(m.realm, channelLabels[channel]).Observe(t.Waited.Seconds())
	}
}

// countDecisions returns what counts the decisions on a realm's requests.
func countDecisions(realm string) func(gate.Decision) {
	decisions := newGrid(meters.requests, realm, gate.Decisions())
	return func(d gate.Decision) { decisions.counter(int(d)).Inc() }
}
