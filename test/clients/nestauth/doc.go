// SPDX-License-Identifier: Apache-2.0

// Package nestauth runs the official client of the nestauth API,
// @ackplus/nest-auth-client from npm, against the real server. Its packages are
// installed into the user's cache folder, as package-lock.json pins them.
package nestauth
