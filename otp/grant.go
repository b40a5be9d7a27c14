// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"
)

// A grant lets a client open a session of its own for somebody who has one, as
// an OAuth authorization code does. To the store it is a challenge with a link:
// it is redeemed once, on whichever node, in the step that opens the session.
// What it is for travels in the code itself, sealed.
//
// Its handle is no address's but that of the session and the client: redeeming
// one neither clears nor counts wrong guesses at the address, and no session
// has more than [MaxChallenges] waiting for a client.

const (
	grantUse = "grant"
	grantTag = "grant"
)

// Grant is what an unopened code says. Reading it uses nothing up.
type Grant struct {
	Dialect, Client string
	// Payload is the dialect's own.
	Payload []byte

	parent Session
	next   SessionID
	secret string
}

// GrantRequest asks for a grant.
type GrantRequest struct {
	// Dialect and Client are who may redeem it.
	Dialect, Client string
	// Payload comes back with it. Whoever holds the code can't read it.
	Payload []byte
	// Lifetime is how long it can be redeemed, 10 minutes at the most (RFC
	// 6749 §4.1.2).
	Lifetime time.Duration
}

type grantDetails struct {
	// Parent is the session that the grant was made for.
	Parent  sessionDetails `json:"p"`
	ID      SessionID      `json:"i"`
	Created int64          `json:"t"`
	// Next is the session that it opens.
	Next    SessionID `json:"n"`
	Dialect string    `json:"d"`
	Client  string    `json:"c"`
	Payload []byte    `json:"x,omitempty"`
	Secret  string    `json:"s"`
}

// maxGrantLifetime is that of RFC 6749 §4.1.2.
const maxGrantLifetime = 10 * time.Minute

// Grant returns the code of a new grant for who has a session. It returns
// [ErrNoSession] where that doesn't hold, [ErrPending] where it lacks a second
// factor that is demanded of it, or [ErrUnavailable] in a [RetryError].
func (s *Service) Grant(ctx context.Context, x Session, r GrantRequest) (code string, err error) {
	if r.Lifetime <= 0 || r.Lifetime > maxGrantLifetime {
		return "", errors.New("a grant lives for up to 10 minutes")
	}
	if x, err = s.Current(ctx, x); err != nil {
		return "", err
	}
	if s.lacksFactor(x) {
		return "", ErrPending
	}
	g := Grant{
		Dialect: r.Dialect,
		Client:  r.Client,
		Payload: r.Payload,
		parent:  x,
		next:    s.newSessionID(s.handle(x.Address)),
		secret:  randomText(32),
	}
	plain, err := json.Marshal(g.details())
	if err != nil {
		return "", err
	}
	challenge := Challenge{
		Handle:   s.grantHandle(g),
		Link:     s.keys.tag(s.grantParts(g)...),
		Lifetime: r.Lifetime,
		Attempts: 1,
		Keep:     MaxChallenges,
	}
	ctx, cancel := s.storeContext(ctx)
	defer cancel()
	outcome, err := s.store.Start(ctx, challenge, nil)
	switch {
	case err != nil:
		return "", unavailable(err)
	case outcome.Result != Accepted:
		return "", outcome.refusal()
	}
	return s.grants.SealText(plain, s.realm), nil
}

// details leave out what is known of the person: the directory is asked when
// the grant is redeemed, and while it can't be asked they are in no group.
func (g Grant) details() grantDetails {
	x := g.parent
	return grantDetails{
		Parent: sessionDetails{
			Subject:   x.Subject,
			Channel:   x.Address.channel,
			Address:   x.Address.canonical,
			Method:    x.Method,
			Tenant:    x.Tenant,
			MFA:       unixMilli(x.MFA),
			MFAMethod: x.MFAMethod,
			Enrolled:  x.Enrolled,
			Directory: x.Directory,
			Expires:   unixMilli(x.Expires),
		},
		ID:      x.ID,
		Created: unixMilli(x.Created),
		Next:    g.next,
		Dialect: g.Dialect,
		Client:  g.Client,
		Payload: g.Payload,
		Secret:  g.secret,
	}
}

// OpenGrant reads a code without judging it. It returns [ErrWrong] where it
// isn't one of this realm.
func (s *Service) OpenGrant(code string) (Grant, error) {
	plain, _, err := s.grants.OpenText(code, s.realm)
	if err != nil {
		return Grant{}, ErrWrong
	}
	var d grantDetails
	if err := json.Unmarshal(plain, &d); err != nil {
		return Grant{}, ErrWrong
	}
	return Grant{
		Dialect: d.Dialect,
		Client:  d.Client,
		Payload: d.Payload,
		parent: Session{
			ID:        d.ID,
			Subject:   d.Parent.Subject,
			Address:   RestoreAddress(d.Parent.Channel, d.Parent.Address),
			Method:    d.Parent.Method,
			Tenant:    d.Parent.Tenant,
			Owner:     s.owner(d.Parent.Subject),
			MFA:       timeOf(d.Parent.MFA),
			MFAMethod: d.Parent.MFAMethod,
			Enrolled:  d.Parent.Enrolled,
			Directory: d.Parent.Directory,
			Created:   timeOf(d.Created),
			Expires:   timeOf(d.Parent.Expires),
		},
		next:   d.Next,
		secret: d.Secret,
	}, nil
}

// RedeemGrant opens the session of a grant: the same person's, as they signed
// in, of the grant's dialect and client, with what p says of it; ClientIP and
// Browser have no say. It has a life of its own: to end the session that the
// grant was made for doesn't end it, to end all of the person's does.
//
// Who redeems it must have proved to be the client before. A grant that is
// redeemed again was stolen: it ends the session that it opened (RFC 6749
// §4.1.2), and comes to [ErrWrong]. Further errors are [ErrExpired],
// [ErrNoSession] where the session that it was made for has ended, and
// [ErrUnavailable] in a [RetryError].
func (s *Service) RedeemGrant(ctx context.Context, g Grant, p Presented) (Verification, error) {
	parent, err := s.Current(ctx, g.parent)
	if err != nil {
		return Verification{}, err
	}
	if s.lacksFactor(parent) {
		return Verification{}, ErrPending
	}
	next := parent
	next.ID, next.Dialect, next.Client = g.next, g.Dialect, g.Client
	next.Scope, next.Audience, next.Device = p.Scope, p.Audience, p.Device
	next.Since, next.Expires = time.Time{}, time.Time{}
	v, err := s.open(ctx, Presented{Lifetime: p.Lifetime, Renewable: p.Renewable}, Guess{
		Handle:  s.grantHandle(g),
		Account: s.account(s.handle(parent.Address), parent.Address),
		Tags:    s.keys.candidates(s.grantParts(g)...),
		Link:    true,
		Known:   true,
	}, next)
	switch {
	case errors.Is(err, ErrWrong):
		if err := s.revoke(ctx, Revocation{Session: g.next, Lifetime: p.Lifetime}); err != nil {
			return Verification{}, err
		}
		s.logger.Warn("an authorization code was redeemed twice; the session that it opened is ended",
			slog.String("client", g.Client), slog.String("realm", s.realm))
		return Verification{}, ErrWrong
	case err != nil:
		return Verification{}, err
	}
	return v, s.outlives(ctx, parent, v.Session)
}

// lacksFactor reports whether a second factor is demanded that a session, as it
// is now, hasn't proved: by the directory, the site or the person's own choice.
func (s *Service) lacksFactor(x Session) bool {
	return x.MFA.IsZero() && (x.Person.MFA || s.DemandsFactor(x))
}

// outlives ends a session that was opened for another one, where that one was
// ended on another node meanwhile: all of the person's may have been, and this
// one would have begun after it. Then it returns [ErrNoSession].
func (s *Service) outlives(ctx context.Context, parent, next Session) error {
	caughtUp, cancel := s.storeContext(ctx)
	defer cancel()
	s.heed(caughtUp)
	if !s.watch.Revoked(parent.ID, parent.Owner, parent.Created) {
		return nil
	}
	if err := s.SignOut(ctx, next.ID, next.Expires); err != nil {
		s.logger.Warn("the continuation of a session that has ended can't be ended", slog.Any("error", err))
	}
	return ErrNoSession
}

// Derive opens a session of another dialect or client for who has one: a grant
// that is redeemed at once, with the errors of both.
func (s *Service) Derive(ctx context.Context, x Session, dialect, client string, p Presented) (Verification, error) {
	code, err := s.Grant(ctx, x, GrantRequest{Dialect: dialect, Client: client, Lifetime: time.Minute})
	if err != nil {
		return Verification{}, err
	}
	g, err := s.OpenGrant(code)
	if err != nil {
		return Verification{}, err
	}
	return s.RedeemGrant(ctx, g, p)
}

// grantHandle names the grants of a session for a client. It is in the shard of
// the person's address, as their account is.
func (s *Service) grantHandle(g Grant) Handle {
	shard := s.handle(g.parent.Address).Shard()
	return Handle(shard + s.keys.name("grants", s.realm, string(g.parent.ID), g.Dialect, g.Client))
}

func (s *Service) grantParts(g Grant) []string {
	return []string{grantTag, s.realm, g.Dialect, g.Client, string(g.parent.ID), string(g.next), g.secret}
}
