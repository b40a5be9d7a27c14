// SPDX-License-Identifier: Apache-2.0

package otp

// KnownBrowser is a browser in which somebody has signed in with an address
// before, as a sealed cookie shows. The zero value is one that isn't known.
type KnownBrowser struct {
	ID string
	// OwnBudget keeps what the browser asks for apart from what everybody
	// shares: with throttles and a failure budget that nobody else uses up. A
	// code that is asked for so can be redeemed only by who says the same, so it
	// is for callers who are sure to.
	OwnBudget bool
}

// budget is the id of the browser where it has a budget of its own, or "".
func (b KnownBrowser) budget() string {
	if b.OwnBudget {
		return b.ID
	}
	return ""
}
