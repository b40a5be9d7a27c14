// SPDX-License-Identifier: Apache-2.0

// Package firstlogin has no code of its own: its tests run the project's Caddy
// as a process, on the embedded store and on a real Redis, and log in to an
// app behind it as its users do.
package firstlogin
