// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// sessionItem is a session as the list of a person's sessions has it.
type sessionItem struct {
	ID otp.SessionID `json:"id"`
	// Device is a short label of the program, or empty.
	Device string     `json:"device"`
	Method otp.Method `json:"method"`
	// Dialect is through what the session was opened: an API, or the pages.
	Dialect   string `json:"dialect"`
	CreatedAt string `json:"created_at"`
	// LastUsedAt is when the session was last renewed, or else opened.
	LastUsedAt string `json:"last_used_at"`
	ExpiresAt  string `json:"expires_at"`
	// Current marks the session that asks.
	Current bool `json:"current"`
}

// sessions lists the sessions of who is signed in, of all APIs and the pages.
func (d *dialect) sessions(w http.ResponseWriter, r *http.Request) error {
	x, all, err := d.ownSessions(r)
	if err != nil {
		return err
	}
	items := make([]sessionItem, 0, len(all))
	for _, each := range all {
		items = append(items, sessionItem{
			ID:         each.ID,
			Device:     each.Device,
			Method:     each.Method,
			Dialect:    each.Dialect,
			CreatedAt:  timestamp(each.Created),
			LastUsedAt: timestamp(each.Used),
			ExpiresAt:  timestamp(each.Expires),
			Current:    each.ID == x.ID,
		})
	}
	d.succeed(w, "success", items)
	return nil
}

// endSession ends one session of who is signed in, which may be the one that
// asks. Somebody else's is answered like one that never was.
func (d *dialect) endSession(w http.ResponseWriter, r *http.Request) error {
	_, all, err := d.ownSessions(r)
	if err != nil {
		return err
	}
	for _, each := range all {
		if string(each.ID) != r.PathValue(sessionIDSegment) {
			continue
		}
		if err := d.Service.SignOut(r.Context(), each.ID, each.Expires); err != nil {
			return err
		}
		d.succeed(w, "session ended", nil)
		return nil
	}
	return errNoSuchSession
}

// endOtherSessions ends all sessions of who is signed in but the one that asks.
func (d *dialect) endOtherSessions(w http.ResponseWriter, r *http.Request) error {
	for {
		x, all, err := d.ownSessions(r)
		if err != nil {
			return err
		}
		ended := false
		for _, each := range all {
			if each.ID == x.ID {
				continue
			}
			if err := d.Service.SignOut(r.Context(), each.ID, each.Expires); err != nil {
				return err
			}
			ended = ended || time.Until(each.Expires) > 0 // there is no end to what is over, and it may still be listed
		}
		if len(all) < otp.MaxSessions || !ended { // else there may be more
			d.succeed(w, "other sessions ended", nil)
			return nil
		}
	}
}

// ownSessions returns the session that a request is made in, and all of the
// same person, the newest first. A session from before a second factor was
// demanded manages none: whoever has no more than that may not end the others.
func (d *dialect) ownSessions(r *http.Request) (x otp.Session, all []otp.Session, err error) {
	if x, err = d.authenticate(r); err != nil {
		return otp.Session{}, nil, err
	}
	if d.lacksFactor(x) {
		return otp.Session{}, nil, otp.ErrPending
	}
	all, err = d.Service.Sessions(r.Context(), x.Subject)
	return x, all, err
}
