// SPDX-License-Identifier: Apache-2.0

package token

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRenewal(t *testing.T) {
	i, _ := newIssuer(t, host)
	other, _ := newIssuer(t, "other.example.com")
	claims := map[string]any{"jti": "secret", "exp": time.Now().Add(time.Hour).Unix()}
	raw := mustBe(i.SignRenewal(claims))
	end := strings.LastIndexByte(raw, '.')
	head, signature := raw[:end], raw[end+1:]
	if got, err := i.ParseRenewal(raw); err != nil || got["jti"] != "secret" {
		t.Errorf("%v, %v", got, err)
	}
	if header, _ := decode(t, raw); header["alg"] != "HS256" || header["typ"] != string(Renewal) || header["kid"] == "" {
		t.Errorf("header %v", header)
	}
	if !i.Names(raw) || other.Names(raw) {
		t.Error("it must be known for this realm's without being verified")
	}
	for name, forged := range map[string]string{
		"another realm's":    mustBe(other.SignRenewal(claims)),
		"an ID token":        mustBe(i.SignBySecret(i.renewals[0].Key, ID, claims)),
		"by the realm's RSA": mustBe(i.Sign(t.Context(), Renewal, claims)),
		"an access token":    mustBe(i.SignAccess(t.Context(), testSession(t), time.Hour, nil)),
		"altered":            head + "." + anotherLetter(signature[0]) + signature[1:],
		"nothing":            "",
	} {
		if got, err := i.ParseRenewal(forged); !errors.Is(err, ErrInvalid) || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := i.Parse(t.Context(), Access, raw); !errors.Is(err, ErrInvalid) {
		t.Errorf("it opens things: %v", err)
	}
	claims["exp"] = time.Now().Add(-time.Second).Unix()
	if got, err := i.ParseRenewal(mustBe(i.SignRenewal(claims))); !errors.Is(err, ErrExpired) || got["jti"] != "secret" {
		t.Errorf("%v, %v", got, err)
	}
}
