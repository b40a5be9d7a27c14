// SPDX-License-Identifier: Apache-2.0

package token

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

func TestJWKS(t *testing.T) {
	i, _ := newIssuer(t, host)
	set, err := i.JWKS(t.Context())
	if err != nil || len(set.Keys) != 1 {
		t.Fatalf("%+v, %v", set, err)
	}
	encoded, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct{ Keys []map[string]any }
	if err := json.Unmarshal(encoded, &parsed); err != nil {
		t.Fatal(err)
	}
	key := parsed.Keys[0]
	if key["kty"] != "RSA" || key["alg"] != "RS256" || key["use"] != "sig" || key["e"] != "AQAB" || len(key["n"].(string)) != 342 || len(key["kid"].(string)) != 43 {
		t.Errorf("%s", encoded)
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi"} {
		if _, ok := key[private]; ok {
			t.Errorf("%s is shown", private)
		}
	}
}

// TestNodesShareAKey has two nodes begin at once on an empty store.
func TestNodesShareAKey(t *testing.T) {
	m := newMemory()
	one, two := NewIssuer(newService(t, m, host, "first")), NewIssuer(newService(t, m, host, "first"))
	var running sync.WaitGroup
	var tokens [2]string
	for n, i := range []*Issuer{one, two} {
		running.Go(func() {
			var err error
			if tokens[n], err = i.SignAccess(context.Background(), testSession(t), time.Hour, nil); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	for n, i := range []*Issuer{two, one} {
		if _, err := i.Authenticate(t.Context(), tokens[n]); err != nil {
			t.Errorf("node %d's token at the other: %v", n+1, err)
		}
	}
	for _, kept := range m.records {
		if bytes.Contains(kept, []byte("\x02\x03\x01\x00\x01")) { // the public exponent, as DER has it
			t.Error("the key is kept in the clear")
		}
	}
}

// TestKeyWhileTheStoreHangs asks for the key from many requests at once: they
// wait together, not one after the other, and no longer than they want to.
func TestKeyWhileTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.hang = true
		i := NewIssuer(newService(t, m, host, "first"))
		raw := part(`{"alg":"RS256"}`) + "." + part("{}") + "." + part("signature")
		began := time.Now()
		waits := make(chan error, 100)
		for range cap(waits) {
			go func() {
				_, err := i.ParseAccess(t.Context(), raw)
				waits <- err
			}()
		}
		for range cap(waits) {
			if err := <-waits; !errors.Is(err, otp.ErrUnavailable) || otp.RetryAfter(err) == 0 {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("they waited %v", took)
		}
		if m.gets != 1 {
			t.Errorf("%d questions to the store", m.gets)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		began = time.Now()
		if _, err := i.ParseAccess(ctx, raw); err == nil || time.Since(began) > time.Millisecond {
			t.Errorf("a client that hangs up: %v after %v", err, time.Since(began))
		}
		time.Sleep(time.Second) // what it asked for ends too
	})
}

func TestKeyAfterAnOutage(t *testing.T) {
	m := newMemory()
	i := NewIssuer(newService(t, m, host, "first"))
	if _, err := i.service.Record("signing key").LoadOrCreate(t.Context(), func() ([]byte, error) { return signingKeyOf(host) }); err != nil {
		t.Fatal(err)
	}
	m.err = otp.ErrUnavailable
	if _, err := i.JWKS(t.Context()); !errors.Is(err, otp.ErrUnavailable) || otp.RetryAfter(err) == 0 {
		t.Fatal(err)
	}
	m.err = nil
	if _, err := i.JWKS(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.err = otp.ErrUnavailable
	if _, err := i.JWKS(t.Context()); err != nil {
		t.Fatalf("it asks again for what it knows: %v", err)
	}
}

func TestTornKey(t *testing.T) {
	m := newMemory()
	i := NewIssuer(newService(t, m, host, "first"))
	if _, err := i.service.Record("signing key").LoadOrCreate(t.Context(), func() ([]byte, error) { return []byte("no key"), nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := i.JWKS(t.Context()); err == nil || strings.Contains(err.Error(), "no key") {
		t.Fatal(err)
	}
	if _, err := i.SignAccess(t.Context(), testSession(t), time.Hour, nil); err == nil {
		t.Fatal("it signs without a key")
	}
}
