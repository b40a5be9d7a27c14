// SPDX-License-Identifier: Apache-2.0

package token

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestAudiences: an access token opens what it is for, and is known for the
// realm's all the same.
func TestAudiences(t *testing.T) {
	const (
		siteA, siteB      = "https://a.example.com/", "https://b.example.org/"
		orders, stock     = "https://orders.example.com/v1", "urn:stock"
		userinfo, foreign = "https://a.example.com/userinfo", "https://api.other"
	)
	m := newMemory()
	_, err := siteOf(t, m, "staff", host).Record("signing key").LoadOrCreate(t.Context(), func() ([]byte, error) { return signingKeyOf(host) })
	if err != nil {
		t.Fatal(err)
	}
	a := NewIssuer(siteOf(t, m, "staff", "a.example.com"), orders, stock)
	b := a.Beside(siteOf(t, m, "staff", "b.example.org"), stock)
	x := testSession(t)
	for _, tc := range []struct {
		name       string
		aud        any
		atA, atB   bool
		toUserinfo bool
	}{
		{"none", nil, true, true, false}, // SignAccess has the site itself
		{"a site", siteA, true, true, false},
		{"another site of the realm", siteB, true, true, false},
		{"a site, without its slash", "https://b.example.org", true, true, false},
		{"a site of several audiences", []string{foreign, siteB}, true, true, false},
		{"a site and userinfo", []string{siteA, userinfo}, true, true, true},
		{"an API of one site", orders, true, false, false},
		{"an API of one site, and userinfo", []string{orders, userinfo}, true, false, true},
		{"an API of both", stock, true, true, false},
		{"almost an API", orders + "/", false, false, false},
		{"an API in other letters", "URN:stock", false, false, false},
		{"another audience", foreign, false, false, false},
		{"another audience and userinfo", []string{foreign, userinfo}, false, false, true},
		{"userinfo alone", userinfo, false, false, true},
		{"below a site", siteA + "api", false, false, false},
		{"a site with two slashes", siteA + "/", false, false, false},
		{"a site by plain http", "http://a.example.com/", false, false, false},
		{"a site that only begins so", "https://a.example.com.evil.example/", false, false, false},
		{"empty", "", false, false, false},
		{"a slash", "/", false, false, false},
		{"no audiences", []string{}, false, false, false},
		{"no text", 1, false, false, false},
		{"no texts", []any{1, map[string]any{siteA: siteA}, []any{siteA}}, false, false, false},
		{"an object", map[string]any{"aud": siteA}, false, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			claims := map[string]any{"aud": tc.aud}
			if tc.aud == nil {
				delete(claims, "aud")
			}
			raw := mustBe(a.SignAccess(t.Context(), x, time.Hour, claims))
			for _, at := range []struct {
				name  string
				call  func() (otp.Session, error)
				opens bool
			}{
				{"the site", func() (otp.Session, error) { return a.Authenticate(t.Context(), raw) }, tc.atA},
				{"the site, or pending", func() (otp.Session, error) { return a.AuthenticateOrPending(t.Context(), raw) }, tc.atA},
				{"the other site", func() (otp.Session, error) { return b.Authenticate(t.Context(), raw) }, tc.atB},
				{"the other site, or pending", func() (otp.Session, error) { return b.AuthenticateOrPending(t.Context(), raw) }, tc.atB},
				{"userinfo", func() (otp.Session, error) { return a.AuthenticateFor(t.Context(), raw, userinfo) }, tc.toUserinfo},
				{"nothing", func() (otp.Session, error) { return a.AuthenticateFor(t.Context(), raw) }, false},
			} {
				got, err := at.call()
				switch {
				case at.opens && (err != nil || !reflect.DeepEqual(got, x)):
					t.Errorf("%s: %+v, %v", at.name, got, err)
				case !at.opens && (!errors.Is(err, ErrInvalid) || !reflect.DeepEqual(got, otp.Session{})):
					t.Errorf("%s: %+v, %v", at.name, got, err)
				}
			}
			for _, i := range []*Issuer{a, b} {
				if got, err := i.ParseAccess(t.Context(), raw); err != nil || !reflect.DeepEqual(got, x) || !i.Issued(t.Context(), raw) {
					t.Errorf("it isn't known at %s: %v", i.URL(), err)
				}
			}
		})
	}
}

// TestAudienceOfNone: a token without the claim is for nobody.
func TestAudienceOfNone(t *testing.T) {
	i, _ := newIssuer(t, host)
	now := time.Now()
	raw := mustBe(i.Sign(t.Context(), Access, map[string]any{
		"exp": now.Add(time.Hour).Unix(), sessionClaim: i.sealed.Seal(testSession(t), now),
	}))
	if _, err := i.Authenticate(t.Context(), raw); !errors.Is(err, ErrInvalid) {
		t.Errorf("%v", err)
	}
	if _, err := i.ParseAccess(t.Context(), raw); err != nil {
		t.Errorf("the token of the test is wrong otherwise: %v", err)
	}
}

// TestAudienceOfRevoked: whom a token is for doesn't outweigh that its session
// has ended, and one that has expired is so whomever it is for.
func TestAudienceOfRevoked(t *testing.T) {
	i, service := newIssuer(t, host)
	x := testSession(t)
	i.now = func() time.Time { return x.Created }
	raw := mustBe(i.SignAccess(t.Context(), x, time.Minute, nil))
	if err := service.SignOut(t.Context(), x.ID, x.Expires); err != nil {
		t.Fatal(err)
	}
	if _, err := i.AuthenticateFor(t.Context(), raw, i.URL()); !errors.Is(err, otp.ErrNoSession) {
		t.Errorf("revoked: %v", err)
	}
	i.now = func() time.Time { return x.Created.Add(2 * time.Minute) }
	if _, err := i.AuthenticateFor(t.Context(), raw, i.URL()); !errors.Is(err, ErrExpired) {
		t.Errorf("expired: %v", err)
	}
}
