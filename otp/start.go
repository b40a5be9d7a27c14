// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"
)

// StartRequest asks for a challenge.
type StartRequest struct {
	// Dialect is the wire API, and Client what it calls its caller. A code
	// can only be redeemed through the dialect and client that it was asked
	// for.
	Dialect, Client string
	Address         Address
	// Purpose isn't [MFA], which [Service.StartFactor] is for.
	Purpose  Purpose
	Form     Form
	Code     CodePolicy
	ClientIP netip.Addr
	// Locale is the BCP 47 tag of the message's language, or empty.
	Locale string
	// Tenant is echoed in the message and the session.
	Tenant string
	// LinkPath is what stands between the site's public URL and the token in
	// a link; required where Form has a link.
	LinkPath string
	// LinkPayload is carried by the link, sealed, and returned by
	// [Service.OpenLink].
	LinkPayload []byte
	// KnownBrowser is the browser that asks, where it is known for Address.
	KnownBrowser KnownBrowser
}

// Started is the answer to a start. It is the same whether or not a message
// was sent.
type Started struct {
	// Lifetime is how long the code and the link live.
	Lifetime time.Duration
	// Quota is what the caller's network address has left; zero where starts
	// aren't limited by it.
	Quota Quota
}

// Start issues a challenge and queues its message, in one step of the store.
// It never waits for the delivery. Addresses that may not sign in get the same
// answer and no message.
//
// It returns [ErrNoSender], [ErrThrottled] (or [ErrBusy]), [ErrCoolDown] or [ErrUnavailable]
// (the store or the directory), the last three in a [RetryError]; any other
// error is a defect.
func (s *Service) Start(ctx context.Context, r StartRequest) (Started, error) {
	started, withheld, err := s.start(ctx, r)
	s.tellStart(r.Dialect, r.Address, r.Purpose, withheld, err)
	return started, err
}

func (s *Service) start(ctx context.Context, r StartRequest) (_ Started, withheld bool, _ error) {
	if r.Purpose == MFA {
		return Started{}, false, errOfFactor
	}
	if !s.HasSender(r.Address.channel) {
		return Started{}, false, ErrNoSender
	}
	if err := s.breakerRefusal(startAction, r.KnownBrowser.ID); err != nil {
		return Started{}, false, err
	}
	if err := s.refuseHeldBack(startAction, r.ClientIP, r.KnownBrowser.budget()); err != nil {
		return Started{}, false, err
	}
	person, refusal, err := s.admit(ctx, r.Address, r.Tenant)
	if err != nil {
		return Started{}, false, err
	}
	started, withheld, err := s.issue(ctx, r, person.bound(r.Tenant), refusal)
	if err == nil {
		s.tell(s.breaker.started(r.KnownBrowser.ID != ""))
	}
	return started, withheld, err
}

// issue issues a challenge whose code and link are bound to what bound says.
// Where refusal isn't empty it does the same work, and no message is sent
// because of that: it is withheld.
func (s *Service) issue(ctx context.Context, r StartRequest, bound boundTenant, refusal string) (_ Started, withheld bool, _ error) {
	challenge := Challenge{
		Handle:   s.handleFor(r.Address, r.KnownBrowser.budget()),
		Group:    s.group(r.Dialect, r.Client, r.Address, r.Purpose),
		Lifetime: r.Code.LifetimeOn(r.Address.channel),
		Attempts: r.Code.Attempts,
		Keep:     r.Code.Keep,
	}
	message := Message{
		ID:       randomText(18),
		Channel:  r.Address.channel,
		Purpose:  r.Purpose,
		To:       r.Address.delivery,
		Locale:   r.Locale,
		Dialect:  r.Dialect,
		Tenant:   r.Tenant,
		Site:     s.host(),
		Lifetime: challenge.Lifetime,
	}
	if r.Form.code() {
		message.Code = newCode(r.Code.Length)
		challenge.Code = s.keys.tag(s.tagParts(codeTag, r.Dialect, r.Client, r.Address, r.Purpose, bound, message.Code)...)
	}
	if r.Form.link() {
		token, tag, err := s.newLink(r, bound)
		if err != nil {
			return Started{}, false, err
		}
		message.Link = s.publicURL.String() + r.LinkPath + token
		challenge.Link = tag
	}
	envelope, err := s.seal(message, deliveryLease)
	if err != nil {
		return Started{}, false, err
	}
	if refusal == "" && !s.isOffered(r.Address) {
		refusal = "sms_countries"
	}
	if refusal != "" {
		envelope = nil
		s.logger.Info("no message is sent", slog.String("because_of", refusal),
			slog.String("channel", string(r.Address.channel)), slog.String("realm", s.realm), slog.String("site", s.host()))
	}

	ctx, cancel := s.storeContext(ctx)
	defer cancel()
	until := time.Now().Add(deliveryLease)
	charges := s.startCharges(r.ClientIP, r.KnownBrowser.budget())
	outcome, err := s.store.Start(ctx, challenge, envelope, charges...)
	if err != nil {
		return Started{}, false, unavailable(err)
	}
	if outcome.Result != Accepted {
		s.holdBack(startAction, r.ClientIP, outcome)
		return Started{}, false, outcome.refusal()
	}
	if envelope != nil {
		s.courier.deliverSoon(held{until: until, message: &message, Lease: Lease{
			Envelope: *envelope,
			Handle:   challenge.Handle,
			Fence:    1,
			Expires:  outcome.Now.Add(envelope.Lifetime),
		}})
	}
	return Started{Lifetime: challenge.Lifetime, Quota: scarcest(charges, outcome.Levels)}, envelope == nil, nil
}

// refusal is the error of an outcome that says to come back later, or makes
// no sense here.
func (o Outcome) refusal() error {
	switch {
	case o.Result == Throttled && o.Scope == ScopeGlobal:
		return &RetryError{Err: ErrBusy, After: o.RetryAfter}
	case o.Result == Throttled:
		return &RetryError{Err: ErrThrottled, After: o.RetryAfter, Limit: o.Limit}
	case o.Result == CoolingDown:
		return &RetryError{Err: ErrCoolDown, After: o.RetryAfter}
	}
	return fmt.Errorf("the store answers nonsense: result %d", o.Result)
}

// The kinds of secrets, so that a code's tag is never a link's.
const (
	codeTag         = "code"
	linkTag         = "link"
	refreshTag      = "refresh"
	refreshProofTag = "refresh proof"
)

// tagParts is all that a code or link is valid for, and the secret itself.
func (s *Service) tagParts(kind, dialect, client string, a Address, p Purpose, bound boundTenant, secret string) []string {
	parts := []string{kind, s.realm, dialect, client, string(a.channel), a.canonical, string(p), secret}
	return append(parts, bound...)
}

func (s *Service) group(dialect, client string, a Address, p Purpose) string {
	return s.keys.name("group", s.realm, dialect, client, string(a.channel), a.canonical, string(p))[:8]
}
