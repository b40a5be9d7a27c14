// SPDX-License-Identifier: Apache-2.0

package gate

// Decision is what became of a request for the app.
type Decision int

// The decisions.
const (
	// PassedAnonymous: it passed as nobody's.
	PassedAnonymous Decision = iota
	// PassedByCookie and PassedByBearer: it passed as somebody's, by the session
	// cookie or an access token.
	PassedByCookie
	PassedByBearer
	// Refused: it needs a session and has none.
	Refused
	// Forbidden: who makes it may not open the path.
	Forbidden
	// FactorDemanded: it lacks a second factor.
	FactorDemanded
	// FormRefused: it confirms a form that can't be sent.
	FormRefused
	// Unchecked: it needs a session, and none can be checked now.
	Unchecked
)

var decisionNames = [...]string{
	PassedAnonymous: "passed_anonymous",
	PassedByCookie:  "passed_cookie",
	PassedByBearer:  "passed_bearer",
	Refused:         "refused",
	Forbidden:       "forbidden",
	FactorDemanded:  "factor_demanded",
	FormRefused:     "form_refused",
	Unchecked:       "unchecked",
}

// String returns the decision's name, in lower case.
func (d Decision) String() string { return decisionNames[d] }

// Decisions are the names of all decisions, each at its number.
func Decisions() []string { return decisionNames[:] }

// decided tells of the decision on a request.
func (g *Gate) decided(d Decision) {
	if g.OnDecision != nil {
		g.OnDecision(d)
	}
}

// passes is the decision to let a visitor's request pass.
func (v Visitor) passes() Decision {
	switch {
	case !v.SignedIn():
		return PassedAnonymous
	case v.Bearer:
		return PassedByBearer
	}
	return PassedByCookie
}
