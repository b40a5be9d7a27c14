// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/jwks"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// signer is a client that signs assertions, and its private keys.
type signer struct {
	Client
	rsa   *rsa.PrivateKey
	curve *ecdsa.PrivateKey
}

func newSigner(t *testing.T) signer {
	t.Helper()
	var s signer
	var err error
	if s.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if s.curve, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, key := range []any{s.rsa.Public(), s.curve.Public()} {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...)
	}
	s.Client = Client{ID: "server", TrustForwardedFor: true}
	if s.Keys, err = jwks.ParsePEM(text); err != nil {
		t.Fatal(err)
	}
	return s
}

// claims are those of an assertion as the SDKs make it.
func (s signer) claims() fields {
	now := time.Now().Unix()
	return fields{
		"iss": s.ID, "sub": s.ID, "aud": webtest.Origin + "/", "jti": rand.Text(), "iat": now, "exp": now + 120,
	}
}

func (s signer) sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, claims fields) string {
	t.Helper()
	by, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := by.Sign([]byte(claims.json(t)))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// asserted returns a request with an assertion.
func asserted(f fields, raw string) fields {
	return f.with("client_assertion", raw).with("client_assertion_type", assertionType)
}

func TestAssertion(t *testing.T) { // A12
	s := newSigner(t)
	other := newSigner(t)
	native := Client{ID: "phone"}
	r := newRig(t, webtest.Options{}, withClients(s.Client, regular, native))
	now := time.Now()
	in := func(d time.Duration) int64 { return now.Add(d).Unix() }
	good := func() string { return s.sign(t, jose.RS256, s.rsa, s.claims()) }
	claims := func(name string, value any) string {
		return s.sign(t, jose.RS256, s.rsa, s.claims().with(name, value))
	}
	start := startEmail(s.Client, "")
	for _, test := range []struct {
		name    string
		request fields
		good    bool
	}{
		{"RS256", asserted(start, good()), true},
		{"RS384", asserted(start, s.sign(t, jose.RS384, s.rsa, s.claims())), true},
		{"PS256", asserted(start, s.sign(t, jose.PS256, s.rsa, s.claims())), true},
		{"ES256", asserted(start, s.sign(t, jose.ES256, s.curve, s.claims())), true},
		{"for the token endpoint", asserted(start, claims("aud", webtest.Origin+tokenPath)), true},
		{"for several", asserted(start, claims("aud", []string{"https://else.example.com/", webtest.Origin + "/"})), true},
		{"without iat", asserted(start, claims("iat", nil)), true},
		{"five minutes", asserted(start, claims("exp", in(5*time.Minute))), true},
		{"by a clock that is ahead", asserted(start, claims("iat", in(20*time.Second))), true},

		{"nothing", start, false},
		{"a secret", start.with("client_secret", regular.Secret), false},
		{"an empty secret", start.with("client_secret", ""), false},
		{"and a secret", asserted(start, good()).with("client_secret", "x"), false},
		{"no type", start.with("client_assertion", good()), false},
		{"no assertion", asserted(start, good()).with("client_assertion", nil), false},
		{"another type", asserted(start, good()).with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), false},
		{"garbage", asserted(start, "x.y.z"), false},
		{"empty", asserted(start, ""), false},
		{"RS512", asserted(start, s.sign(t, jose.RS512, s.rsa, s.claims())), false},
		{"HS256 by nothing secret", asserted(start, s.sign(t, jose.HS256, []byte(strings.Repeat("server", 8)), s.claims())), false},
		{"another's key", asserted(start, s.sign(t, jose.RS256, other.rsa, s.claims())), false},
		{"expired", asserted(start, claims("exp", in(-time.Second))), false},
		{"long-lived", asserted(start, claims("exp", in(6*time.Minute))), false},
		{"for ever", asserted(start, claims("exp", 1e300)), false},
		{"without exp", asserted(start, claims("exp", nil)), false},
		{"exp as text", asserted(start, claims("exp", "soon")), false},
		{"not yet", asserted(start, claims("nbf", in(time.Minute))), false},
		{"issued tomorrow", asserted(start, claims("iat", in(time.Minute))), false},
		{"for another site", asserted(start, claims("aud", "https://else.example.com/")), false},
		{"for the site without its slash", asserted(start, claims("aud", webtest.Origin)), false},
		{"for nobody", asserted(start, claims("aud", nil)), false},
		{"aud a number", asserted(start, claims("aud", 7)), false},
		{"about another", asserted(start, claims("sub", regular.ID)), false},
		{"by another", asserted(start, claims("iss", regular.ID)), false},
		{"without jti", asserted(start, claims("jti", nil)), false},
		{"a long jti", asserted(start, claims("jti", strings.Repeat("x", 256))), false},
		{"claims of no object", asserted(start, s.sign(t, jose.RS256, s.rsa, nil)), false},
		{"of a client with a secret", asserted(startEmail(regular, "").with("client_secret", nil), good()), false},
		{"of a client with neither", asserted(startEmail(native, ""), good()), false},
		{"of an unknown client", asserted(start.with("client_id", "unknown"), good()), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := r.post(t, startPath, test.request.with("email", r.newEmail()))
			if !test.good {
				a.wantRefusal(t, 401, "invalid_client", invalid401)
				return
			}
			a.Want(http.StatusOK)
			r.In(t).Message()
		})
	}
	r.NoMessage()
}

func TestAssertionReplay(t *testing.T) { // A12
	s := newSigner(t)
	second := s.Client
	second.ID = "second"
	r := newRig(t, webtest.Options{Frozen: true}, withClients(s.Client, second))
	raw := s.sign(t, jose.RS256, s.rsa, s.claims().with("jti", "the same"))
	email := r.newEmail()
	r.post(t, startPath, asserted(startEmail(s.Client, email), raw)).Want(http.StatusOK)
	code := r.Code()
	r.post(t, startPath, asserted(startEmail(s.Client, email), raw)).wantRefusal(t, 401, "invalid_client", invalid401)
	f := redeem(s.Client, "email", email, code)
	r.post(t, tokenPath, asserted(f, raw)).wantRefusal(t, 401, "invalid_client", invalid401)
	renewed := s.sign(t, jose.RS256, s.rsa, s.claims().with("jti", "the same").with("exp", time.Now().Add(4*time.Minute).Unix()))
	r.post(t, tokenPath, asserted(f, renewed)).wantRefusal(t, 401, "invalid_client", invalid401)
	ofSecond := s.sign(t, jose.RS256, s.rsa, s.claims().with("jti", "the same").with("iss", "second").with("sub", "second"))
	r.post(t, startPath, asserted(startEmail(second, r.newEmail()), ofSecond)).Want(http.StatusOK)

	form := asserted(f.with("scope", "offline_access"), s.sign(t, jose.RS256, s.rsa, s.claims()))
	a := r.do(t, http.MethodPost, tokenPath, formBody, form.form())
	a.Want(http.StatusOK)
	f = fields{"client_id": s.ID, "token": a.text("refresh_token")}
	r.post(t, revokePath, f).wantRefusal(t, 401, "invalid_client", invalid401)
	r.post(t, revokePath, asserted(f, s.sign(t, jose.RS256, s.rsa, s.claims()))).Want(http.StatusOK)
}

// TestAssertionOutage: an assertion that can't be looked up isn't taken, and
// isn't wrong either.
func TestAssertionOutage(t *testing.T) {
	s := newSigner(t)
	r := newRig(t, webtest.Options{}, withClients(s.Client))
	raw := s.sign(t, jose.RS256, s.rsa, s.claims())
	f := asserted(startEmail(s.Client, r.newEmail()), raw)
	r.FailStore(otp.ErrUnavailable)
	a := r.post(t, startPath, f)
	a.wantRefusal(t, 503, "temporarily_unavailable", errUnavailable.Description)
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	r.FailStore(nil)
	r.post(t, startPath, f).Want(http.StatusOK)
}
