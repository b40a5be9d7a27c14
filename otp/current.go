// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// The option that lets nobody in whom it doesn't list.
const directoryOption = "directory"

// refusalsRemembered is how many sessions are remembered to have been refused
// lately, so that each is logged once.
const refusalsRemembered = 1024

// Admits reports whether an address may be signed in now. It returns
// [ErrUnavailable] in a [RetryError] where the directory can't tell.
func (s *Service) Admits(ctx context.Context, a Address) (bool, error) {
	_, refusal, err := s.admit(ctx, a, "")
	return refusal == "", err
}

// admit returns what the directory knows of who has an address, and by which
// option they may not sign in for a tenant, or "".
func (s *Service) admit(ctx context.Context, a Address, tenant string) (p Person, refusal string, err error) {
	if s.directory != nil {
		find := s.directory.Find
		if asker, ok := s.directory.(Asker); ok {
			find = asker.Ask
		}
		p, err = find(ctx, a)
		switch {
		case errors.Is(err, ErrNobody):
			return Person{}, directoryOption, nil
		case err != nil:
			return Person{}, "", directoryUnavailable(err)
		case !p.isOf(tenant):
			return p, "tenant", nil
		}
	}
	return p, s.admission.refusal(a, p.Groups), nil
}

// directoryUnavailable puts a wait to an error of the directory.
func directoryUnavailable(err error) error {
	return &RetryError{Err: fmt.Errorf("%w: %w", ErrUnavailable, err), After: defaultRetryWait}
}

// isOffered reports whether messages are sent to an address's country. Those
// that get none are answered just like those that do; the log alone tells.
func (s *Service) isOffered(a Address) bool {
	return a.channel != SMS || slices.Contains(s.countries, a.Country())
}

// Current judges a session that was opened before and returns it as it is now:
// with what the directory says of its person now. It returns [ErrNoSession]
// where the session has ended, was revoked, belongs to somebody who may no
// longer sign in, or to an address that is somebody else's by now; or
// [ErrUnavailable] in a [RetryError] where that can't be told. Mostly it needs
// no round trip to the store.
//
// A directory that can't be asked throws nobody out: the person is who they
// were when it last could. It vouches for nobody either whom it never told of:
// of a session that another site of the realm opened it can't be told then.
func (s *Service) Current(ctx context.Context, x Session) (Session, error) {
	return copied(s.Check(ctx, &x))
}

// CurrentOrPending is [Service.Current] for what a session may be used for
// before its second factor is proved.
func (s *Service) CurrentOrPending(ctx context.Context, x Session) (Session, error) {
	return copied(s.check(ctx, &x))
}

// Check is [Service.Current] without a copy, for what is asked at every request:
// it doesn't change the session, which may be shared, and returns it where that
// is as it was.
func (s *Service) Check(ctx context.Context, x *Session) (*Session, error) {
	x, err := s.check(ctx, x)
	if err == nil && x.Pending {
		return nil, ErrPending
	}
	return x, err
}

func copied(x *Session, err error) (Session, error) {
	if err != nil {
		return Session{}, err
	}
	return *x, nil
}

// check is Check for sessions that may be pending.
func (s *Service) check(ctx context.Context, x *Session) (*Session, error) {
	now := time.Now()
	if !now.Before(x.Expires) {
		return nil, ErrNoSession
	}
	if !s.watch.freshAt(ctx, now) {
		return nil, &RetryError{Err: ErrUnavailable, After: defaultRetryWait}
	}
	if s.watch.Revoked(x.ID, x.Owner, x.Created) {
		return nil, ErrNoSession
	}
	refusal := ""
	if s.directory == nil {
		x = x.as(Person{}, "")
	} else {
		p, err := s.directory.Find(ctx, x.Address)
		switch {
		case errors.Is(err, ErrNobody), err == nil && s.subject(p, x.Address) != x.Subject:
			refusal = directoryOption
		case err == nil && !p.isOf(x.Tenant):
			refusal = "tenant"
		case err == nil:
			x = x.as(p, s.directoryName)
		case x.Directory != s.directoryName:
			return nil, directoryUnavailable(err)
		}
	}
	if refusal == "" {
		refusal = s.admission.refusal(x.Address, x.Person.Groups)
	}
	if refusal == "" {
		return x, nil
	}
	if s.refused.first(string(x.ID), now) {
		s.logger.Info("session is refused", slog.String("because_of", refusal),
			slog.String("subject", x.Subject), slog.String("realm", s.realm), slog.String("site", s.host()))
	}
	return nil, ErrNoSession
}

// as returns the session with what a directory says of its person: a copy,
// unless there is nothing to say.
func (x *Session) as(p Person, directory string) *Session {
	if directory == "" && x.Directory == "" && x.Person.isZero() {
		return x
	}
	told := *x
	told.Person, told.Directory = p, directory
	return &told
}
