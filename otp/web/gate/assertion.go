// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

const (
	// assertionLifetime is how long an assertion is good for. It is used again
	// for the first half of that, since a signature takes a millisecond.
	assertionLifetime = time.Minute
	// maxAssertions is how many sessions' assertions are kept.
	maxAssertions = 10_000
)

// asserted are the facts that an assertion has, each as the claim of its name;
// subject is sub (RFC 7519 §4.1.2).
var asserted = [...]Fact{Subject, Email, Phone, Groups, Method, MFA}

// assertions signs what proves to the app that a request came through us, and
// who makes it.
type assertions struct {
	issuer *token.Issuer
	// audience is the site's host, with its port if it has one.
	audience string

	mu sync.Mutex
	// recent and older have the assertions last used. Once there are many
	// recent ones they become the older, and the older are forgotten.
	recent, older map[otp.SessionID]*assertion
}

// assertion is the one last signed for a session.
type assertion struct {
	mu    sync.Mutex
	says  [len(asserted)]string
	raw   string
	began time.Time
	// until is when another is to be signed.
	until time.Time
}

func newAssertions(issuer *token.Issuer, audience string) *assertions {
	return &assertions{issuer: issuer, audience: audience, recent: make(map[otp.SessionID]*assertion)}
}

// of returns an assertion of a session: one that was signed lately and says
// the same, or a new one. The error is that of [token.Issuer.Sign].
func (a *assertions) of(ctx context.Context, x *otp.Session) (string, error) {
	if err := a.issuer.Prepare(ctx); err != nil { // with a store that hangs nobody waits below
		return "", err
	}
	var says [len(asserted)]string
	for i, fact := range asserted {
		says[i] = fact.Of(x)
	}
	last := a.last(x.ID)
	last.mu.Lock()
	defer last.mu.Unlock()
	now := a.issuer.Now()
	if says == last.says && !now.Before(last.began) && now.Before(last.until) {
		return last.raw, nil
	}
	lifetime := min(assertionLifetime, x.Expires.Sub(now))
	raw, err := a.issuer.Sign(ctx, token.Assertion, a.claims(x, says, now.Add(lifetime)))
	if err != nil {
		return "", err
	}
	last.says, last.raw, last.began, last.until = says, raw, now, now.Add(lifetime/2)
	return raw, nil
}

func (a *assertions) claims(x *otp.Session, says [len(asserted)]string, expires time.Time) map[string]any {
	claims := map[string]any{"aud": a.audience, "exp": expires.Unix()}
	for i, fact := range asserted {
		switch {
		case says[i] == "":
		case fact == Subject:
			claims["sub"] = says[i]
		case fact == Groups:
			claims[string(fact)] = x.Person.Groups
		default:
			claims[string(fact)] = says[i]
		}
	}
	return claims
}

// last returns a session's last assertion, which is empty for a new one.
func (a *assertions) last(id otp.SessionID) *assertion {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := a.recent[id]
	if found != nil {
		return found
	}
	if found = a.older[id]; found == nil {
		found = new(assertion)
	}
	if len(a.recent) >= maxAssertions/2 {
		a.recent, a.older = make(map[otp.SessionID]*assertion), a.recent
	}
	a.recent[id] = found
	return found
}

// tell says in headers who is signed in. Where there should be an assertion
// and none can be signed, it tells nothing and returns why.
func (g *Gate) tell(ctx context.Context, h http.Header, x *otp.Session) error {
	if g.assertions != nil {
		raw, err := g.assertions.of(ctx, x)
		if err != nil {
			return err
		}
		h[g.Identity.assertion] = []string{raw}
	}
	g.Identity.set(h, x)
	return nil
}

// ServeKeys answers with the public keys that verify assertions (RFC 7517). It
// is for everybody.
func (g *Gate) ServeKeys(w http.ResponseWriter, r *http.Request) {
	keys, err := g.Issuer.JWKS(r.Context())
	if err != nil {
		failPlainly(w, err, "the keys can't be loaded right now")
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	wire.WriteJSON(w, http.StatusOK, keys)
}
