// SPDX-License-Identifier: Apache-2.0

// Package autional is the API of Autional's identity service: its login by a
// code, its envelopes and flat token answers, and its problem details
// (RFC 9457) with business codes.
//
// Three answers keep the plain form that the API documents for them: 401, and
// 400 where a session is renewed, are {code, message, timestamp}.
package autional
