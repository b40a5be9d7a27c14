// SPDX-License-Identifier: Apache-2.0

// Package clients has no code of its own: its tests run the project's Caddy as
// a process, over TLS, and the official clients of the APIs against it, as they
// are published.
package clients
