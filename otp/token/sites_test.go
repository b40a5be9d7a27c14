// SPDX-License-Identifier: Apache-2.0

package token

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// siteOf returns the service of another site of a realm, on the same store.
func siteOf(t *testing.T, m *memory, realm, host string) *otp.Service {
	t.Helper()
	return otp.NewService(otp.Config{
		Realm:     realm,
		PublicURL: newService(t, m, host, "first").PublicURL(),
		Keys:      testKeys(t, "first"),
		Store:     m,
		Courier:   otp.NewCourier(m, time.Second, nil),
		Watch:     otp.NewWatch(m, time.Second, nil),
		Timeout:   time.Second,
	})
}

func TestSitesOfOneRealm(t *testing.T) {
	m := newMemory()
	_, err := siteOf(t, m, "staff", host).Record("signing key").LoadOrCreate(t.Context(), func() ([]byte, error) { return signingKeyOf(host) })
	if err != nil {
		t.Fatal(err)
	}
	a := NewIssuer(siteOf(t, m, "staff", "a.example.com"))
	b := a.Beside(siteOf(t, m, "staff", "b.example.org"))
	c := b.Beside(siteOf(t, m, "staff", "c.example.net"))
	unknown := NewIssuer(siteOf(t, m, "staff", "elsewhere.example.com"))
	other := NewIssuer(siteOf(t, m, "customers", "d.example.com"))

	x := testSession(t)
	for _, signer := range []*Issuer{a, b, c} {
		raw := mustBe(signer.SignAccess(t.Context(), x, time.Hour, nil))
		if _, claims := decode(t, raw); claims["iss"] != signer.URL() || claims["aud"] != signer.URL() {
			t.Errorf("claims %v of %s", claims, signer.URL())
		}
		for _, verifier := range []*Issuer{a, b, c} {
			if got, err := verifier.Authenticate(t.Context(), raw); err != nil || !reflect.DeepEqual(got, x) {
				t.Errorf("of %s at %s: %v", signer.URL(), verifier.URL(), err)
			}
		}
		for name, verifier := range map[string]*Issuer{"a site that isn't known here": unknown, "another realm": other} {
			if _, err := verifier.ParseAccess(t.Context(), raw); !errors.Is(err, ErrInvalid) || verifier.Issued(t.Context(), raw) {
				t.Errorf("of %s at %s: %v", signer.URL(), name, err)
			}
		}
		// What isn't an access token is for the site that made it alone.
		for _, typ := range []Type{ID, Renewal} {
			raw := mustBe(signer.Sign(t.Context(), typ, map[string]any{"exp": time.Now().Add(time.Hour).Unix()}))
			for _, verifier := range []*Issuer{a, b, c} {
				if _, err := verifier.Parse(t.Context(), typ, raw); (err == nil) != (verifier == signer) {
					t.Errorf("%s of %s at %s: %v", typ, signer.URL(), verifier.URL(), err)
				}
			}
		}
	}
	if raw := mustBe(unknown.SignAccess(t.Context(), x, time.Hour, nil)); a.Issued(t.Context(), raw) {
		t.Error("a site that isn't known here is taken for one of ours")
	}
}

// TestSitesShareTheirKey: it is loaded once for all sites of a realm.
func TestSitesShareTheirKey(t *testing.T) {
	m := newMemory()
	_, err := siteOf(t, m, "staff", host).Record("signing key").LoadOrCreate(t.Context(), func() ([]byte, error) { return signingKeyOf(host) })
	if err != nil {
		t.Fatal(err)
	}
	m.gets = 0
	a := NewIssuer(siteOf(t, m, "staff", "a.example.com"))
	b := a.Beside(siteOf(t, m, "staff", "b.example.org"))
	for _, i := range []*Issuer{a, b} {
		if err := i.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if m.gets != 1 {
		t.Errorf("the key was read %d times", m.gets)
	}
}
