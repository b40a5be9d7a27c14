// SPDX-License-Identifier: Apache-2.0

package jwks

import (
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-otp/caddy-otp/otp"
)

// publisher publishes keys, or fails.
type publisher struct {
	*Remote
	server *httptest.Server
	asked  atomic.Int64
	answer atomic.Pointer[string]
	status atomic.Int64
	ahead  atomic.Int64
}

func newPublisher(t *testing.T, keys ...jose.JSONWebKey) *publisher {
	t.Helper()
	p := new(publisher)
	p.status.Store(http.StatusOK)
	p.publish(t, keys...)
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		if r.URL.Path != "/keys" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(int(p.status.Load()))
		_, _ = w.Write([]byte(*p.answer.Load()))
	}))
	t.Cleanup(p.server.Close)
	now := time.Now()
	var err error
	p.Remote, err = NewRemote(RemoteConfig{
		URL: p.server.URL + "/keys",
		Now: func() time.Time { return now.Add(time.Duration(p.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *publisher) publish(t *testing.T, keys ...jose.JSONWebKey) {
	t.Helper()
	text := string(must[[]byte](t)(json.Marshal(jose.JSONWebKeySet{Keys: keys})))
	p.answer.Store(&text)
}

func (p *publisher) advance(d time.Duration) { p.ahead.Add(int64(d)) }

// wantAsked fails unless the keys were asked for so often since the last time.
func (p *publisher) wantAsked(t *testing.T, step string, n int64) {
	t.Helper()
	if got := p.asked.Swap(0); got != n {
		t.Errorf("%s: asked %d times, want %d", step, got, n)
	}
}

func TestRemote(t *testing.T) {
	first, second := rsaKey(t, 2048), ecKey(t, elliptic.P256())
	a := jose.JSONWebKey{Key: first.Public(), KeyID: "a", Use: "sig", Algorithm: "RS256"}
	b := jose.JSONWebKey{Key: second.Public(), KeyID: "b"}
	p := newPublisher(t, a)
	verify := func(step, raw string, want error) {
		t.Helper()
		if payload, err := Verify(t.Context(), p, raw, algorithms); !errors.Is(err, want) || (err == nil) != (string(payload) == "x") {
			t.Errorf("%s: %q, %v, want %v", step, payload, err, want)
		}
	}
	byA, byB := sign(t, jose.RS256, first, "a", "x"), sign(t, jose.ES256, second, "b", "x")
	p.wantAsked(t, "nobody needs them", 0)
	verify("first", byA, nil)
	verify("again", byA, nil)
	verify("without a kid", sign(t, jose.RS256, first, "", "x"), nil)
	p.wantAsked(t, "once", 1)
	verify("another algorithm than the key's", sign(t, jose.PS256, first, "a", "x"), ErrUnverified)
	verify("another kid", sign(t, jose.RS256, first, "c", "x"), ErrUnverified)
	verify("unknown key", byB, ErrUnverified)
	p.wantAsked(t, "a moment ago", 0)

	p.publish(t, b)
	p.advance(pause)
	verify("a new key", byB, nil)
	verify("the old key", byA, ErrUnverified)
	p.wantAsked(t, "half a minute later", 1)
	p.advance(fresh)
	verify("ten minutes later", byB, nil)
	p.wantAsked(t, "ten minutes later", 1)

	p.status.Store(http.StatusInternalServerError)
	p.advance(fresh)
	verify("while it fails", byB, nil)
	verify("while it fails", byB, nil)
	p.wantAsked(t, "while it fails", 1)
	p.advance(failurePause)
	verify("while it still fails", byA, ErrUnverified)
	p.wantAsked(t, "while it still fails", 1)
	p.advance(keepKeys)
	verify("a day later", byB, otp.ErrUnavailable)
	p.advance(failurePause)
	p.status.Store(http.StatusOK)
	verify("it works again", byB, nil)
}

func TestRemoteFailures(t *testing.T) {
	good := jose.JSONWebKey{Key: rsaKey(t, 2048).Public(), KeyID: "a"}
	const useless = "the answer is no JSON Web Key Set with an RSA key of at least 2048 bits or an ECDSA key on P-256"
	for name, test := range map[string]struct {
		status int
		answer string
		want   string
	}{
		"not found":  {404, "", "answered with status 404"},
		"redirect":   {302, "", "answered with status 302"},
		"no JSON":    {200, "<html>", useless},
		"no keys":    {200, `{"keys":[]}`, useless},
		"a secret":   {200, `{"keys":[{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}`, useless},
		"nonsense":   {200, `{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"},{"kty":7}]}`, useless},
		"large":      {200, `{"keys":[],"x":"` + strings.Repeat("x", 64<<10) + `"}`, "the answer is over 64 KiB"},
		"encryption": {200, "", useless},
	} {
		p := newPublisher(t, good)
		p.status.Store(int64(test.status))
		if name == "encryption" {
			p.publish(t, jose.JSONWebKey{Key: good.Key, Use: "enc"})
		} else {
			p.answer.Store(&test.answer)
		}
		keys, err := p.Current(t.Context())
		want := "the keys of " + strings.TrimPrefix(p.server.URL, "http://") + ": " + test.want
		if !errors.Is(err, otp.ErrUnavailable) || otp.RetryAfter(err) != 1 || err.Error() != want || keys != nil {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	p := newPublisher(t, good)
	p.server.Close()
	if _, err := p.Current(t.Context()); !errors.Is(err, otp.ErrUnavailable) || strings.Contains(err.Error(), "/keys") {
		t.Errorf("nobody there: %v", err)
	}
}

// TestRemoteAtOnce lets many need the keys at once.
func TestRemoteAtOnce(t *testing.T) {
	p := newPublisher(t, jose.JSONWebKey{Key: rsaKey(t, 2048).Public()})
	var running sync.WaitGroup
	for range 16 {
		running.Go(func() {
			if keys, err := p.Current(t.Context()); err != nil || len(keys) != 1 {
				t.Errorf("%d keys, %v", len(keys), err)
			}
		})
	}
	running.Wait()
	p.wantAsked(t, "all of them", 1)
}

func TestCheckURL(t *testing.T) {
	for text, good := range map[string]bool{
		"https://app.example.com/jwks.json": true,
		"http://localhost:3000/jwks.json":   true,
		"http://10.0.0.7/jwks.json":         true,
		"http://app.example.com/jwks.json":  false,
		"ftp://app.example.com/jwks.json":   false,
		"https://":                          false,
	} {
		if err := CheckURL(text); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := NewRemote(RemoteConfig{URL: text}); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzParseSet looks for sets that make keys which nothing may be verified by.
func FuzzParseSet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"},{"kty":"EC","crv":"P-384","x":"AQ","y":"AQ"},null,7]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}],"keys":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, key := range parseSet(body) {
			if err := check(key.Key); err != nil {
				t.Error(err)
			}
		}
	})
}
