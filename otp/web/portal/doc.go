// SPDX-License-Identifier: Apache-2.0

// Package portal is the login pages of a site: plain HTML forms that work
// without JavaScript, in the visitor's language. They load nothing from
// anywhere and keep nothing on the server: a sign-in under way lives in a
// sealed cookie of its own.
package portal
