// SPDX-License-Identifier: Apache-2.0

// Package wire is what the dialects share of HTTP: who calls, strict request
// bodies, cross-origin rules, and which requests on a path are ours.
package wire
