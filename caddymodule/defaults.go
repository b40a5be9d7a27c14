// SPDX-License-Identifier: Apache-2.0

package caddymodule

import "time"

// The defaults of a site.
const (
	defaultCodeLength      = 6
	defaultCodeLifetime    = 10 * time.Minute
	defaultSMSLifetime     = 5 * time.Minute
	defaultAttempts        = 5
	defaultKeep            = 3
	defaultSessionLifetime = 7 * 24 * time.Hour
	defaultSessionIdle     = 24 * time.Hour
	defaultTokenLifetime   = time.Hour
	defaultRefresh         = 30 * 24 * time.Hour

	// Auth0's own documented figures, the defaults of its API.
	auth0CodeLifetime  = 3 * time.Minute
	auth0Attempts      = 3
	auth0TokenLifetime = 24 * time.Hour
)
