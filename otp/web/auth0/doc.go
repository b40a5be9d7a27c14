// SPDX-License-Identifier: Apache-2.0

// Package auth0 speaks the passwordless part of the Auth0 Authentication API,
// so that Auth0's own SDKs work against the site's host: codes and links are
// asked for at /passwordless/start and redeemed at /oauth/token.
package auth0
