// SPDX-License-Identifier: Apache-2.0

package jwks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.PS256, jose.ES256}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func rsaKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	return must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, bits))
}

func ecKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	return must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(curve, rand.Reader))
}

// sign returns a JWS of a payload.
func sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, kid, payload string) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	signer := must[jose.Signer](t)(jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options))
	signed := must[*jose.JSONWebSignature](t)(signer.Sign([]byte(payload)))
	return must[string](t)(signed.CompactSerialize())
}

func publicPEM(t *testing.T, key any) string {
	t.Helper()
	der := must[[]byte](t)(x509.MarshalPKIXPublicKey(key))
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestVerify(t *testing.T) {
	key, other, curve := rsaKey(t, 2048), rsaKey(t, 2048), ecKey(t, elliptic.P256())
	keys := must[Keys](t)(ParsePEM([]byte(publicPEM(t, key.Public()) + publicPEM(t, curve.Public()))))
	good := sign(t, jose.RS256, key, "", "hello")
	parts := strings.Split(good, ".")
	for name, test := range map[string]struct {
		raw  string
		good bool
	}{
		"RS256":            {good, true},
		"RS384":            {sign(t, jose.RS384, key, "", "hello"), true},
		"PS256":            {sign(t, jose.PS256, key, "", "hello"), true},
		"ES256":            {sign(t, jose.ES256, curve, "", "hello"), true},
		"a kid":            {sign(t, jose.RS256, key, "any", "hello"), true},
		"another key":      {sign(t, jose.RS256, other, "", "hello"), false},
		"RS512":            {sign(t, jose.RS512, key, "", "hello"), false},
		"HS256 by the PEM": {sign(t, jose.HS256, []byte(publicPEM(t, key.Public())), "", "hello"), false},
		"nothing":          {"", false},
		"two dots":         {"..", false},
		"no signature":     {parts[0] + "." + parts[1] + ".", false},
		"alg none":         {"eyJhbGciOiJub25lIn0." + parts[1] + ".", false},
		"another payload":  {parts[0] + ".aGVsbG8h." + parts[2], false},
		"JSON":             {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, false},
	} {
		payload, err := Verify(t.Context(), keys, test.raw, algorithms)
		if test.good && (err != nil || string(payload) != "hello") {
			t.Errorf("%s: %q, %v", name, payload, err)
		}
		if !test.good && (!errors.Is(err, ErrUnverified) || payload != nil) {
			t.Errorf("%s: %q, %v", name, payload, err)
		}
	}
}

func TestParsePEM(t *testing.T) {
	key := rsaKey(t, 2048)
	for name, test := range map[string]struct{ text, want string }{
		"PUBLIC KEY":     {publicPEM(t, key.Public()), ""},
		"RSA PUBLIC KEY": {string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)})), ""},
		"ECDSA":          {publicPEM(t, ecKey(t, elliptic.P256()).Public()), ""},
		"nothing":        {"", "it holds no key in PEM form (-----BEGIN PUBLIC KEY-----)"},
		"a JWKS":         {`{"keys":[]}`, "it holds no key in PEM form (-----BEGIN PUBLIC KEY-----)"},
		"a private key": {string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("x")})),
			"it holds a private key, which is the client's alone; make its public key with `openssl pkey -pubout`"},
		"a request": {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte("x")})),
			"it holds a CERTIFICATE REQUEST; a PUBLIC KEY is needed"},
		"a broken one": {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), "its CERTIFICATE can't be read"},
		"P-384":        {publicPEM(t, ecKey(t, elliptic.P384()).Public()), "a key is on the curve P-384; P-256 is needed"},
		"a good and a bad one": {publicPEM(t, key.Public()) + publicPEM(t, ecKey(t, elliptic.P521()).Public()),
			"a key is on the curve P-521; P-256 is needed"},
	} {
		keys, err := ParsePEM([]byte(test.text))
		if test.want == "" {
			if err != nil || keys == nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || err.Error() != test.want || keys != nil {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	if _, err := ParsePEM([]byte(publicPEM(t, rsaKey(t, 1024).Public()))); err == nil || err.Error() != "an RSA key has 1024 bits; at least 2048 are needed" {
		t.Errorf("1024 bits: %v", err)
	}
}

// FuzzVerify looks for texts that are taken without a key's signature.
func FuzzVerify(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJSUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19.e30.AA")
	f.Add("eyJhbGciOiJFUzI1NiIsImp3ayI6e319.e30.AA")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	keys := fixed{{Key: key.Public()}}
	f.Fuzz(func(t *testing.T, raw string) {
		if payload, err := Verify(t.Context(), keys, raw, algorithms); !errors.Is(err, ErrUnverified) || payload != nil {
			t.Errorf("%q, %v", payload, err)
		}
	})
}
