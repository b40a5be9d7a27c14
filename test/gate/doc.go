// SPDX-License-Identifier: Apache-2.0

// Package gate has no code of its own: its tests run several of the project's
// Caddys as processes, and look at what passes their gates and for how long.
package gate
