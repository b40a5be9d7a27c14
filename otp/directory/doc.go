// SPDX-License-Identifier: Apache-2.0

// Package directory holds the ways to know a site's people, one file each.
// Both are an [otp.Directory]: [File] reads a list and follows its changes,
// [HTTP] asks a service.
//
// No error and no log line of this package holds an address, a name of a
// group or a credential: they say where in a list something is wrong.
package directory
