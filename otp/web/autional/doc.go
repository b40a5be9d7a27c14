// SPDX-License-Identifier: Apache-2.0

// Package autional is the API of Autional's identity service: its login by a
// code, its envelopes and flat token answers, and its problem details
// (RFC 9457) with business codes.
//
// Three answers keep the plain form that the API documents for them: 401, and
// 400 where a session is renewed, are {code, message, timestamp}; so is the 404
// of a session that isn't the caller's.
//
// # Links
//
// POST /auth/magic-link mails a link, and nothing but a link. It leads to the
// site's page that asks whether to sign in, since mail scanners follow links:
// by GET nothing is used up here, whatever the reference says. Who presses the
// page's button gets the pages' session and goes on to redirect_url, which must
// be at the site or at one of the configured origins ([FinishLink]). A program
// redeems the same link by POST /auth/magic-link/confirm and gets what a login
// by a code gets. A link replaces the code that was asked for before, and the
// other way round. These paths are always ours: nothing in a request for a link
// could tell whose it is.
//
// # The second factor
//
// A login, by code or by link, of somebody of whom the directory demands a
// second factor is answered with requires_mfa, a challenge_token and the method
// by which a code has been sent, and with no token. POST
// /auth/mfa/verify-challenge redeems that code for the tokens. Until then there
// is a pending session ([otp.Session]) that opens nothing. The code is sent to
// the best of the person's other addresses ([otp.Service.SecondFactors]); there
// is no way to ask for it again but another login. A session from before the
// factor was demanded ends when it is to be renewed.
//
// # Tenants
//
// A tenant is named by the X-Tenant-ID header, as the API's own client does on
// every request, or by a login's tenant_id. Of people whom the directory gives
// tenants a code or link is bound to the one that it was asked for with, so
// they need the header there.
package autional
