// SPDX-License-Identifier: Apache-2.0

// Package gate stands between a site's visitors and its app: it knows who is
// signed in, who may pass, what the refused get, and what the app is told.
package gate
