// SPDX-License-Identifier: Apache-2.0

// Package token makes what proves a session to this site: sealed cookies for
// browsers, and JWTs for API clients. Both are bound to one realm; those of
// one site open nothing on another.
package token
