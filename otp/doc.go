// SPDX-License-Identifier: Apache-2.0

// Package otp is the domain of passwordless login: what a code is, when it
// dies, and who may try again.
//
// A [Service] serves one realm (one site). [Service.Start] issues a challenge
// (a one-time code, a link, or both) for an [Address] and [Service.Verify]
// redeems it for a [Session]. Both are one atomic operation of a [Store], so
// that throttles, the failure budget and single use hold however many nodes
// and requests race. Messages wait sealed in the store's outbox, committed
// together with their challenge, until a [Courier] has handed them to a
// [Sender].
//
// The package knows neither HTTP nor Caddy nor a database. The stores, the
// senders and the web dialects are in sub-packages.
package otp
