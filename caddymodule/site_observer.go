// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"maps"
	"slices"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/auth0"
	"github.com/caddy-otp/caddy-otp/otp/web/autional"
	"github.com/caddy-otp/caddy-otp/otp/web/nestauth"
	"github.com/caddy-otp/caddy-otp/otp/web/portal"
)

// siteObserver makes metrics and events of what comes of a site's work.
type siteObserver struct {
	meters   *siteMeters
	events   *events
	realm    string
	store    string
	channels []otp.Channel
	factors  bool // there are second factors
}

// observe returns the observer of a site that is to be.
func (a *App) observe(realm string, dialects []string, senders map[otp.Channel][]otp.Sender, mfa otp.MFAPolicy) *siteObserver {
	a.standing.add(realm, a.store.breaker(realm))
	o := &siteObserver{
		meters:   newSiteMeters(realm, dialects),
		events:   a.events,
		realm:    realm,
		store:    storeName(a.module),
		channels: slices.Sorted(maps.Keys(senders)),
		factors:  !mfa.Off,
	}
	a.observers = append(a.observers, o)
	return o
}

// dialects are the names of the site's pages and of the APIs that are on.
func (o *Options) dialects() []string {
	names := []string{portal.Name}
	for _, api := range o.apiLines() {
		switch api.Name {
		case nestauth.Name, autional.Name, auth0.Name:
			names = append(names, api.Name)
		}
	}
	return names
}

// StartEnded implements [otp.Observer].
func (o *siteObserver) StartEnded(e otp.StartEnd) { o.meters.StartEnded(e, 1) }

// VerificationEnded implements [otp.Observer].
func (o *siteObserver) VerificationEnded(e otp.VerificationEnd) { o.meters.VerificationEnded(e, 1) }

// MessageTried implements [otp.Observer].
func (o *siteObserver) MessageTried(t otp.MessageTry) {
	o.meters.MessageTried(t)
	kind, ended := messageEvents[t.Ending]
	if !ended || !o.events.wants(kind) {
		return
	}
	o.events.emit(kind, map[string]any{
		"realm":      o.realm,
		"site":       t.Site,
		"channel":    string(t.Channel),
		"message_id": t.ID,
		"tries":      t.Tries,
		"waited":     t.Waited.Seconds(),
	})
}

// messageEvents tell of the end of a message.
var messageEvents = map[otp.TryEnding]eventKind{
	otp.TryDelivered:     messageSent,
	otp.TryUndeliverable: messageUndeliverable,
	otp.TryExpired:       messageExpired,
}

// BreakerTurned implements [otp.Observer].
func (o *siteObserver) BreakerTurned(t otp.BreakerTurn) {
	kind := breakerClosed
	if t.Open {
		kind = breakerOpened
	}
	if o.events.wants(kind) {
		o.events.emit(kind, map[string]any{"realm": o.realm, "because_of": t.Reason})
	}
}

// StoreTurned implements [otp.Observer].
func (o *siteObserver) StoreTurned(down bool) {
	kind := storeUp
	if down {
		kind = storeDown
	}
	if o.events.wants(kind) {
		o.events.emit(kind, map[string]any{"store": o.store})
	}
}

// Interface guards
var _ otp.Observer = (*siteObserver)(nil)
