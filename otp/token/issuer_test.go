// SPDX-License-Identifier: Apache-2.0

package token

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-otp/caddy-otp/otp"
)

const host = "app.example.com"

func TestAccess(t *testing.T) {
	i, _ := newIssuer(t, host)
	x := testSession(t)
	i.now = func() time.Time { return x.Created }
	raw, err := i.SignAccess(t.Context(), x, 10*time.Minute, map[string]any{"sub": "email|jane", "scope": "openid"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := i.Authenticate(t.Context(), raw)
	if err != nil || !reflect.DeepEqual(got, x) {
		t.Fatalf("%+v, %v; want %+v", got, err, x)
	}
	header, claims := decode(t, raw)
	if header["alg"] != "RS256" || header["typ"] != "at+jwt" || header["kid"] == "" || len(header) != 3 {
		t.Errorf("header %v", header)
	}
	if claims["iss"] != "https://app.example.com/" || claims["aud"] != "https://app.example.com/" || claims["sub"] != "email|jane" || claims["scope"] != "openid" {
		t.Errorf("claims %v", claims)
	}
	if lifetime := claims["exp"].(float64) - claims["iat"].(float64); lifetime != 600 {
		t.Errorf("it lives %v s", lifetime)
	}
	if strings.Contains(raw, "jane@") || !i.Issued(t.Context(), raw) {
		t.Error("readable, or not taken for ours")
	}
	other, err := i.SignAccess(t.Context(), x, time.Minute, map[string]any{"aud": "https://api", "iss": "https://evil/", "iat": 1, "otp": "mine"})
	if err != nil {
		t.Fatal(err)
	}
	_, claims = decode(t, other)
	if claims["aud"] != "https://api" || claims["iss"] != i.URL() || claims["iat"] == 1.0 || claims["otp"] == "mine" {
		t.Errorf("claims %v", claims)
	}
}

func decode(t *testing.T, raw string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(raw, ".")
	for n, into := range []*map[string]any{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[n])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func TestAccessTimes(t *testing.T) {
	i, _ := newIssuer(t, host)
	x := testSession(t)
	now := time.Now()
	for _, tc := range []struct {
		name     string
		lifetime time.Duration
		expires  time.Time
	}{
		{"shorter than the session", 10 * time.Minute, now.Add(10 * time.Minute)},
		{"longer than the session", 24 * time.Hour, x.Expires},
	} {
		i.now = func() time.Time { return now }
		raw, err := i.SignAccess(t.Context(), x, tc.lifetime, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, claims := decode(t, raw)
		if got := int64(claims["exp"].(float64)); got != tc.expires.Unix() {
			t.Errorf("%s: it ends %v s off", tc.name, got-tc.expires.Unix())
		}
		i.now = func() time.Time { return time.Unix(tc.expires.Unix(), 0).Add(-time.Nanosecond) }
		if _, err := i.ParseAccess(t.Context(), raw); err != nil {
			t.Errorf("%s: just before its end: %v", tc.name, err)
		}
		i.now = func() time.Time { return time.Unix(tc.expires.Unix(), 0) }
		got, err := i.ParseAccess(t.Context(), raw)
		if !errors.Is(err, ErrExpired) || !reflect.DeepEqual(got, x) {
			t.Errorf("%s: at its end: %+v, %v", tc.name, got, err)
		}
		if got, err := i.Authenticate(t.Context(), raw); !errors.Is(err, ErrExpired) || !reflect.DeepEqual(got, otp.Session{}) {
			t.Errorf("%s: authenticates %+v, %v", tc.name, got, err)
		}
		if !i.Issued(t.Context(), raw) {
			t.Errorf("%s: no longer taken for ours", tc.name)
		}
	}
}

// TestAccessOfAMoment: a token that takes a while to make lives as long as it
// says all the same.
func TestAccessOfAMoment(t *testing.T) {
	i, _ := newIssuer(t, host)
	x := testSession(t)
	now := x.Created
	i.now = func() time.Time { now = now.Add(10 * time.Second); return now }
	_, claims := decode(t, mustBe(i.SignAccess(t.Context(), x, 10*time.Minute, nil)))
	if lives := claims["exp"].(float64) - claims["iat"].(float64); lives != 600 {
		t.Errorf("it lives for %v s", lives)
	}
}

func TestAuthenticateAsksTheService(t *testing.T) {
	i, s := newIssuer(t, host)
	x := testSession(t)
	raw, err := i.SignAccess(t.Context(), x, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SignOut(t.Context(), x.ID, x.Expires); err != nil {
		t.Fatal(err)
	}
	if got, err := i.Authenticate(t.Context(), raw); !errors.Is(err, otp.ErrNoSession) || !reflect.DeepEqual(got, otp.Session{}) {
		t.Errorf("after a sign-out: %+v, %v", got, err)
	}
	if !i.Issued(t.Context(), raw) {
		t.Error("it is ours all the same")
	}
}

func TestForgeries(t *testing.T) {
	i, _ := newIssuer(t, host)
	other, _ := newIssuer(t, "other.example.com")
	x := testSession(t)
	access := mustBe(i.SignAccess(t.Context(), x, time.Hour, nil))
	parts := strings.Split(access, ".")
	_, claims := decode(t, access)
	key := mustBe(i.keys.current(t.Context()))
	foreign := mustBe(rsa.GenerateKey(rand.Reader, 2048))
	der := mustBe(x509.MarshalPKIXPublicKey(key.private.Public()))
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	sign := func(key any, alg jose.SignatureAlgorithm, headers map[jose.HeaderKey]any, claims map[string]any) string {
		options := &jose.SignerOptions{ExtraHeaders: headers}
		signer := mustBe(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options))
		signed := mustBe(signer.Sign(mustBe(json.Marshal(claims))))
		return mustBe(signed.CompactSerialize())
	}
	headers := func(kid, typ any) map[jose.HeaderKey]any {
		h := map[jose.HeaderKey]any{}
		if kid != nil {
			h["kid"] = kid
		}
		if typ != nil {
			h["typ"] = typ
		}
		return h
	}
	with := func(name string, value any) map[string]any {
		changed := map[string]any{}
		for k, v := range claims {
			changed[k] = v
		}
		if changed[name] = value; value == nil {
			delete(changed, name)
		}
		return changed
	}
	hs256 := func(secret []byte) string {
		input := part(`{"alg":"HS256","kid":"`+key.id+`","typ":"at+jwt"}`) + "." + parts[1]
		sum := hmac.New(sha256.New, secret)
		sum.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
	}
	embedded := headers(key.id, "at+jwt")
	embedded["jwk"] = jose.JSONWebKey{Key: foreign.Public()}

	if _, err := i.ParseAccess(t.Context(), sign(key.private, jose.RS256, headers(key.id, "at+jwt"), claims)); err != nil {
		t.Fatalf("the test's own signer makes no good tokens: %v", err)
	}
	for name, raw := range map[string]string{
		"nothing":                  "",
		"two dots":                 "..",
		"no dots":                  "abc",
		"four dots":                access + ".x",
		"JSON serialization":       `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"alg none":                 part(`{"alg":"none","kid":"`+key.id+`","typ":"at+jwt"}`) + "." + parts[1] + ".",
		"alg None":                 part(`{"alg":"None","kid":"`+key.id+`","typ":"at+jwt"}`) + "." + parts[1] + ".",
		"alg nOnE":                 part(`{"alg":"nOnE","kid":"`+key.id+`","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		"no alg":                   part(`{"kid":"`+key.id+`","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		"no signature":             parts[0] + "." + parts[1] + ".",
		"HS256, public key":        hs256(der),
		"HS256, public key in PEM": hs256(block),
		"HS256, modulus":           hs256(key.private.N.Bytes()),
		"RS384":                    sign(key.private, jose.RS384, headers(key.id, "at+jwt"), claims),
		"PS256":                    sign(key.private, jose.PS256, headers(key.id, "at+jwt"), claims),
		"a key of their own":       sign(foreign, jose.RS256, headers(key.id, "at+jwt"), claims),
		"their key in jwk":         sign(foreign, jose.RS256, embedded, claims),
		"another kid":              sign(key.private, jose.RS256, headers("other", "at+jwt"), claims),
		"no kid":                   sign(key.private, jose.RS256, headers(nil, "at+jwt"), claims),
		"no typ":                   sign(key.private, jose.RS256, headers(key.id, nil), claims),
		"typ in capitals":          sign(key.private, jose.RS256, headers(key.id, "AT+JWT"), claims),
		"typ of the media type":    sign(key.private, jose.RS256, headers(key.id, "application/at+jwt"), claims),
		"a refresh token":          mustBe(i.Sign(t.Context(), Renewal, claims)),
		"an ID token":              mustBe(i.Sign(t.Context(), ID, claims)),
		"an opaque refresh token":  FormatRefresh(x.ID, strings.Repeat("s", 43)),
		"a cookie":                 i.sealed.Seal(x, time.Now()),
		"another site's":           mustBe(other.SignAccess(t.Context(), x, time.Hour, nil)),
		"another site's iss":       sign(key.private, jose.RS256, headers(key.id, "at+jwt"), with("iss", other.URL())),
		"iss without a slash":      sign(key.private, jose.RS256, headers(key.id, "at+jwt"), with("iss", strings.TrimSuffix(i.URL(), "/"))),
		"no iss":                   sign(key.private, jose.RS256, headers(key.id, "at+jwt"), with("iss", nil)),
		"no exp":                   sign(key.private, jose.RS256, headers(key.id, "at+jwt"), with("exp", nil)),
		"exp as text":              sign(key.private, jose.RS256, headers(key.id, "at+jwt"), with("exp", "4000000000")),
		"no session":               sign(key.private, jose.RS256, headers(key.id, "at+jwt"), with("otp", nil)),
		"session as a number":      sign(key.private, jose.RS256, headers(key.id, "at+jwt"), with("otp", 1)),
		"another site's session":   sign(key.private, jose.RS256, headers(key.id, "at+jwt"), with("otp", other.sealed.Seal(x, time.Now()))),
		"a cookie's session":       sign(key.private, jose.RS256, headers(key.id, "at+jwt"), with("otp", NewSealed(testKeys(t, "first"), host, "cookie").Seal(x, time.Now()))),
		"unknown crit":             sign(key.private, jose.RS256, map[jose.HeaderKey]any{"kid": key.id, "typ": "at+jwt", "crit": []string{"x"}, "x": 1}, claims),
		"claims changed":           parts[0] + "." + part(`{"iss":"`+i.URL()+`","exp":4000000000}`) + "." + parts[2],
		"signature changed":        parts[0] + "." + parts[1] + "." + anotherLetter(parts[2][0]) + parts[2][1:],
		"signature cut":            access[:len(access)-1],
		"header changed":           part(`{"alg":"RS256","kid":"`+key.id+`","typ":"at+jwt","x":1}`) + "." + parts[1] + "." + parts[2],
		"too long":                 sign(key.private, jose.RS256, headers(key.id, "at+jwt"), with("x", strings.Repeat("x", MaxLength))),
		"a blank in front":         " " + access,
		"a line behind":            access + "\n",
	} {
		for use, check := range map[string]func(context.Context, string) (otp.Session, error){"parse": i.ParseAccess, "authenticate": i.Authenticate} {
			if got, err := check(t.Context(), raw); !errors.Is(err, ErrInvalid) || !reflect.DeepEqual(got, otp.Session{}) {
				t.Errorf("%s: %s: %+v, %v", name, use, got, err)
			}
		}
		if i.Issued(t.Context(), raw) {
			t.Errorf("%s: taken for ours", name)
		}
	}
	// One typ is never taken for another in either direction.
	for _, typ := range []Type{Access, ID, Renewal} {
		raw := mustBe(i.Sign(t.Context(), typ, claims))
		for _, as := range []Type{Access, ID, Renewal} {
			if _, err := i.Parse(t.Context(), as, raw); (err == nil) != (as == typ) {
				t.Errorf("%s as %s: %v", typ, as, err)
			}
		}
	}
}

func part(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// mustBe returns a value that can't fail to be made.
func mustBe[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// anotherLetter is a letter that isn't this one.
func anotherLetter(letter byte) string {
	if letter == 'A' {
		return "B"
	}
	return "A"
}

func TestSignBySecret(t *testing.T) {
	i, _ := newIssuer(t, host)
	secret := []byte(strings.Repeat("correct horse ", 3))
	for _, typ := range []Type{ID, Access} {
		raw, err := i.SignBySecret(secret, typ, map[string]any{"aud": "web", "exp": time.Now().Add(time.Hour).Unix(), "iss": "https://evil/"})
		if err != nil {
			t.Fatal(err)
		}
		header, claims := decode(t, raw)
		if header["alg"] != "HS256" || header["typ"] != string(typ) || len(header) != 2 || claims["iss"] != i.URL() || claims["aud"] != "web" {
			t.Errorf("%v, %v", header, claims)
		}
		signed := mustBe(jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.HS256}))
		if _, err := signed.Verify(secret); err != nil {
			t.Error(err)
		}
		if claims, err := i.Parse(t.Context(), typ, raw); !errors.Is(err, ErrInvalid) {
			t.Errorf("it is taken for the realm's: %v, %v", claims, err)
		}
	}
}

// TestParseBySecret: what a secret signed is taken by that secret alone, at the
// site that signed it, for its type, and never for an access token.
func TestParseBySecret(t *testing.T) {
	i, _ := newIssuer(t, host)
	other, _ := newIssuer(t, "other.example.com")
	secret, wrong := []byte(strings.Repeat("s", 32)), []byte(strings.Repeat("w", 32))
	claims := map[string]any{"aud": "app", "exp": time.Now().Add(time.Hour).Unix()}
	raw := mustBe(i.SignBySecret(secret, ID, claims))
	if got, err := i.ParseBySecret(secret, ID, raw); err != nil || got["aud"] != "app" {
		t.Errorf("%v, %v", got, err)
	}
	claims["exp"] = time.Now().Add(-time.Hour).Unix()
	if got, err := i.ParseBySecret(secret, ID, mustBe(i.SignBySecret(secret, ID, claims))); !errors.Is(err, ErrExpired) || got["aud"] != "app" {
		t.Errorf("%v, %v", got, err)
	}
	claims["exp"] = time.Now().Add(time.Hour).Unix()
	for name, call := range map[string]func() (map[string]any, error){
		"another secret": func() (map[string]any, error) { return i.ParseBySecret(wrong, ID, raw) },
		"no secret":      func() (map[string]any, error) { return i.ParseBySecret(nil, ID, raw) },
		"another site":   func() (map[string]any, error) { return other.ParseBySecret(secret, ID, raw) },
		"another type":   func() (map[string]any, error) { return i.ParseBySecret(secret, Renewal, raw) },
		"an access token": func() (map[string]any, error) {
			return i.ParseBySecret(secret, Access, mustBe(i.SignBySecret(secret, Access, claims)))
		},
		"the realm's key": func() (map[string]any, error) {
			return i.ParseBySecret(secret, ID, mustBe(i.Sign(t.Context(), ID, claims)))
		},
		"as the realm's":   func() (map[string]any, error) { return i.Parse(t.Context(), ID, raw) },
		"cut off":          func() (map[string]any, error) { return i.ParseBySecret(secret, ID, raw[:len(raw)-4]) },
		"too long":         func() (map[string]any, error) { return i.ParseBySecret(secret, ID, raw+strings.Repeat("A", MaxLength)) },
		"with white space": func() (map[string]any, error) { return i.ParseBySecret(secret, ID, raw+"\n") },
	} {
		if got, err := call(); !errors.Is(err, ErrInvalid) || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
