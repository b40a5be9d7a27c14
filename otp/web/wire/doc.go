// SPDX-License-Identifier: Apache-2.0

// Package wire is what the dialects share of HTTP: who calls, strict request
// bodies, cross-origin rules, which requests on a path are ours, how a handler
// fails, and what every dialect of tokens begins with.
package wire
