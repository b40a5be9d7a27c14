// SPDX-License-Identifier: Apache-2.0

// Package nestauth is the API of Nest Auth (@ackplus/nest-auth): its
// passwordless login, its second factor, its tokens as JWTs in the body or in
// cookies, and its error body.
//
// Where the published server is careless this package isn't: expired codes
// are refused, wrong ones are counted, identifiers are checked, a second factor
// that is demanded holds for every login and path, and every error has all four
// documented fields.
package nestauth
