// SPDX-License-Identifier: Apache-2.0

// Package gate has no code of its own: its tests run the project's Caddy as a
// process, or several, and look at what passes the gate and for how long.
package gate
