// SPDX-License-Identifier: Apache-2.0

// Package sender holds the ways to deliver a message, one file each. All of
// them are an [otp.Sender]: one call is one try, bounded by its context. When
// to try again and which sender takes over is [otp.Courier]'s to decide.
//
// Constructors check their configuration without touching the network or the
// disk. No error of this package holds a recipient, a code, a link or a
// credential.
package sender
