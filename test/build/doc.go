// SPDX-License-Identifier: Apache-2.0

// Package build tests that Caddy can be built with this module from outside,
// as xcaddy does it, and that the result knows the module.
package build
