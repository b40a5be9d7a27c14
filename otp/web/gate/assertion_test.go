// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-otp/caddy-otp/otp"
)

const assertionHeader = "X-Assertion"

func asserting(c *Config, _ *otp.Config) {
	c.Identity = NewIdentity(nil, "x-assertion")
}

// verifyAssertion is what an app does: it fetches the keys and knows the site.
func (h *house) verifyAssertion(raw string) map[string]any {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.ServeKeys(w, httptest.NewRequest(http.MethodGet, "/.otp/jwks.json", nil))
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(w.Body.Bytes(), &keys); err != nil || w.Code != http.StatusOK {
		h.t.Fatalf("keys: %d, %v", w.Code, err)
	}
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		h.t.Fatalf("%v: %q", err, raw)
	}
	header := signed.Signatures[0].Protected
	key := keys.Key(header.KeyID)
	if len(key) != 1 || !key[0].IsPublic() || header.ExtraHeaders[jose.HeaderType] != "assertion+jwt" {
		h.t.Fatalf("header %+v, keys %+v", header, key)
	}
	payload, err := signed.Verify(key[0])
	if err != nil {
		h.t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		h.t.Fatal(err)
	}
	return claims
}

// asserted makes a request of the app and returns the assertion that it got.
func (h *house) asserted(x otp.Session) string {
	h.t.Helper()
	w := h.do(h.as(x, http.MethodGet, "/"))
	if h.passed == nil {
		h.t.Fatalf("refused: %d %s", w.Code, w.Body)
	}
	values := h.passed.Header[assertionHeader]
	if len(values) != 1 {
		h.t.Fatalf("the app got the assertions %q", values)
	}
	return values[0]
}

func TestAssertion(t *testing.T) {
	h := newHouse(t, func(c *Config, o *otp.Config) {
		asserting(c, o)
		o.Directory = directory{"jane@example.com": {
			Subject: "u-1", Groups: []string{"staff", "admins"}, Addresses: []otp.Address{email(t, "jane@example.com"), phone(t, "+491701234567")},
		}}
	})
	jane := session(t, "jane@example.com")
	jane.Subject = "u-1"
	jane.MFA, jane.MFAMethod = time.Now(), "sms"
	claims := h.verifyAssertion(h.asserted(jane))
	issued, expires := claims["iat"].(float64), claims["exp"].(float64)
	delete(claims, "iat")
	delete(claims, "exp")
	want := map[string]any{
		"iss": "https://app.example.com/", "aud": "app.example.com", "sub": "u-1", "email": "jane@example.com", "phone": "+491701234567",
		"groups": []any{"staff", "admins"}, "method": "code", "mfa": "sms",
	}
	if !reflect.DeepEqual(claims, want) {
		t.Errorf("claims %v, want %v", claims, want)
	}
	if age := time.Since(time.Unix(int64(issued), 0)); age < 0 || age > time.Minute || expires-issued > 60 || expires-issued < 59 {
		t.Errorf("issued %v ago, good for %v s", age, expires-issued)
	}
}

func TestAssertionOfLittle(t *testing.T) {
	h := newHouse(t, asserting)
	claims := h.verifyAssertion(h.asserted(session(t, "jane@example.com")))
	for _, claim := range []string{"phone", "groups", "mfa"} {
		if value, ok := claims[claim]; ok {
			t.Errorf("%s is %v", claim, value)
		}
	}
}

// TestAssertionIsNoToken: who gets hold of one can't come in with it.
func TestAssertionIsNoToken(t *testing.T) {
	h := newHouse(t, func(c *Config, o *otp.Config) {
		asserting(c, o)
		c.TokenCookies = []string{"accessToken"}
	})
	raw := h.asserted(session(t, "jane@example.com"))
	for name, value := range map[string]string{"Authorization": "Bearer " + raw, "Cookie": "accessToken=" + raw, assertionHeader: raw} {
		r := httptest.NewRequest(http.MethodGet, "/admin", nil)
		r.Header.Set(name, value)
		if w := h.do(r); h.passed != nil || w.Code != http.StatusUnauthorized {
			t.Errorf("as %s: %d", name, w.Code)
		}
	}
}

func TestForgedAssertion(t *testing.T) {
	h := newHouse(t, asserting)
	for _, name := range []string{assertionHeader, "X_Assertion", "x.assertion", "X-ASSERTION"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header[name] = []string{"forged"}
		h.do(r)
		if h.passed.Header[name] != nil || h.passed.Header[assertionHeader] != nil {
			t.Errorf("nobody's request has %s", name)
		}
		r = h.as(session(t, "jane@example.com"), http.MethodGet, "/")
		r.Header[name] = []string{"forged"}
		r.Header.Set("Connection", name)
		h.do(r)
		if values := h.passed.Header[assertionHeader]; len(values) != 1 || values[0] == "forged" || name != assertionHeader && h.passed.Header[name] != nil || h.passed.Header["Connection"] != nil {
			t.Errorf("%s: the app gets %v", name, h.passed.Header)
		}
	}
	plain := newHouse(t, nil)
	plain.do(plain.as(session(t, "jane@example.com"), http.MethodGet, "/"))
	if plain.passed.Header[assertionHeader] != nil {
		t.Error("a site without assertions makes one")
	}
}

// TestAssertionIsReused as long as it has half a minute left and says the same.
func TestAssertionIsReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, asserting)
		jane := session(t, "jane@example.com")
		of := func(x otp.Session) string {
			raw, err := h.assertions.of(t.Context(), &x)
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
		first := of(jane)
		time.Sleep(29 * time.Second)
		if of(jane) != first {
			t.Error("after 29 s another one is made")
		}
		other := jane
		other.ID = otp.SessionID("07" + jane.ID[2:44] + "b")
		if of(other) == first {
			t.Error("another session has the same")
		}
		byLink := jane
		byLink.Method = otp.ByLink
		if second := of(byLink); second == first || h.verifyAssertion(second)["method"] != "link" {
			t.Error("it says what isn't so any more")
		}
		first = of(jane)
		time.Sleep(31 * time.Second)
		second := of(jane)
		if second == first {
			t.Error("after 31 s it is the same")
		}
		// The last one ends with the session.
		jane.Expires = time.Now().Add(20 * time.Second)
		jane.Method = otp.ByLink
		claims := h.verifyAssertion(of(jane))
		if left := claims["exp"].(float64) - float64(time.Now().Unix()); left > 20 {
			t.Errorf("it is good for %v s, the session for 20", left)
		}
	})
}

// TestAssertionsAtOnce: many requests of a page wait for one signature.
func TestAssertionsAtOnce(t *testing.T) {
	h := newHouse(t, asserting)
	jane := session(t, "jane@example.com")
	got := make([]string, 16)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			raw, err := h.assertions.of(t.Context(), &jane)
			if err != nil {
				t.Error(err)
			}
			got[i] = raw
		})
	}
	wg.Wait()
	for _, raw := range got {
		if raw != got[0] || raw == "" {
			t.Fatal("several were signed")
		}
	}
}

func TestAssertionsAreBounded(t *testing.T) {
	a := newAssertions(nil, "")
	first := a.last("first")
	for i := range 3 * maxAssertions {
		a.last(otp.SessionID(fmt.Sprint(i)))
		if i%1000 == 0 && a.last("first") != first {
			t.Fatalf("one in use is forgotten after %d others", i)
		}
		if n := len(a.recent) + len(a.older); n > maxAssertions {
			t.Fatalf("%d are kept", n)
		}
	}
	if a.last("0") == a.last("1") {
		t.Error("two sessions share one")
	}
}

// TestNoKey: without the key, whoever is signed in can't be vouched for, and
// doesn't pass as nobody.
func TestNoKey(t *testing.T) {
	h := newHouse(t, asserting)
	jane := session(t, "jane@example.com")
	h.do(httptest.NewRequest(http.MethodGet, "/", nil)) // no session: no key is needed
	if h.passed == nil {
		t.Fatal("nobody is refused")
	}
	h.store.noRecords = otp.ErrUnavailable
	for _, path := range []string{"/", "/admin"} {
		w := h.do(h.as(jane, http.MethodGet, path))
		if h.passed != nil || w.Code != http.StatusServiceUnavailable || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/problem+json; charset=utf-8" {
			t.Errorf("%s: passed %v, %d %v", path, h.passed != nil, w.Code, w.Header())
		}
		if w := h.do(httptest.NewRequest(http.MethodGet, path, nil)); (h.passed != nil) != (path == "/") {
			t.Errorf("%s of nobody: passed %v, %d", path, h.passed != nil, w.Code)
		}
	}
	var failed error
	h.FailPage = func(w http.ResponseWriter, _ *http.Request, err error) {
		failed = err
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	r := h.as(jane, http.MethodGet, "/")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if h.do(r); failed == nil || h.passed != nil {
		t.Errorf("a browser gets no page: %v", failed)
	}
	w := httptest.NewRecorder()
	if h.ServeKeys(w, httptest.NewRequest(http.MethodGet, "/.otp/jwks.json", nil)); w.Code != http.StatusServiceUnavailable || w.Header().Get("Cache-Control") != "" {
		t.Errorf("keys: %d %v", w.Code, w.Header())
	}
	h.store.noRecords = nil
	h.asserted(jane)
	h.store.noRecords = otp.ErrUnavailable
	h.asserted(session(t, "joe@example.com")) // the key is known by now
}

func TestKeys(t *testing.T) {
	h := newHouse(t, nil)
	w := httptest.NewRecorder()
	h.ServeKeys(w, httptest.NewRequest(http.MethodGet, "/.otp/jwks.json", nil))
	if w.Header().Get("Cache-Control") != "public, max-age=300" || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", w.Header())
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("%v, %s", err, w.Body)
	}
	for name := range set.Keys[0] {
		switch name {
		case "kty", "n", "e", "alg", "use", "kid":
		default:
			t.Errorf("the key has a %s", name)
		}
	}
}

func BenchmarkAssertion(b *testing.B) {
	h := newHouse(b, asserting)
	jane := session(b, "jane@example.com")
	if err := h.Issuer.Prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	cookie := h.Cookie.Name + "=" + h.sealed(jane)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		clear(r.Header)
		r.Header["Cookie"] = []string{cookie}
		if err := h.Serve(w, r, func(http.ResponseWriter, *http.Request) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// TestNoKeyKeepsForm: a form that was kept isn't used up by a request that
// doesn't pass.
func TestNoKeyKeepsForm(t *testing.T) {
	h := newHouse(t, asserting)
	jane := session(t, "jane@example.com")
	cookie, form := h.keep(formPost(formURI, formBody, h.idle(jane)))
	h.store.noRecords = otp.ErrUnavailable
	if w := h.do(h.confirm(jane, cookie, form.Secret)); h.passed != nil || w.Code != http.StatusServiceUnavailable {
		t.Fatalf("passed %v, %d", h.passed != nil, w.Code)
	}
	h.store.noRecords = nil
	w := h.do(h.confirm(jane, cookie, form.Secret))
	if h.passed == nil {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if body, err := io.ReadAll(h.passed.Body); err != nil || string(body) != formBody || h.passed.Header[assertionHeader] == nil {
		t.Errorf("the app got %q, %v, %v", body, err, h.passed.Header)
	}
}
