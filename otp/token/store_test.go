// SPDX-License-Identifier: Apache-2.0

package token

import (
	"bytes"
	"context"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// memory is what tokens need of a store.
type memory struct {
	otp.Store

	mu      sync.Mutex
	records map[string][]byte
	gone    []otp.Revocation
	gets    int
	// hang makes Get wait for its context to end.
	hang bool
	err  error
}

func (m *memory) Get(ctx context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	m.gets++
	value, hang, err := m.records[key], m.hang, m.err
	m.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, otp.ErrUnavailable
	}
	return value, err
}

func (m *memory) Swap(_ context.Context, key string, old, next []byte, _ time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !bytes.Equal(m.records[key], old) {
		return false, nil
	}
	m.records[key] = next
	return true, nil
}

func (m *memory) Revoke(_ context.Context, r otp.Revocation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.At = time.Now()
	m.gone = append(m.gone, r)
	return nil
}

func (m *memory) Revocations(context.Context, otp.Cursor) ([]otp.Revocation, otp.Cursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gone, 1, m.err
}

func newMemory() *memory { return &memory{records: make(map[string][]byte)} }

func testKeys(t testing.TB, names ...string) *otp.Keys {
	t.Helper()
	var secrets [][]byte
	for _, name := range names {
		secrets = append(secrets, []byte(name+" secret that is long enough to be one"))
	}
	keys, err := otp.NewKeys(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newService(t testing.TB, m *memory, host string, secrets ...string) *otp.Service {
	t.Helper()
	return otp.NewService(otp.Config{
		Realm:     host,
		PublicURL: &url.URL{Scheme: "https", Host: host},
		Keys:      testKeys(t, secrets...),
		Store:     m,
		Courier:   otp.NewCourier(m, time.Second, nil),
		Watch:     otp.NewWatch(m, time.Second, nil),
		Timeout:   time.Second,
	})
}

// newIssuer returns the issuer of a site that has a key already.
func newIssuer(t testing.TB, host string) (*Issuer, *otp.Service) {
	t.Helper()
	s := newService(t, newMemory(), host, "first")
	_, err := s.Record("signing key").LoadOrCreate(t.Context(), func() ([]byte, error) { return signingKeyOf(host) })
	if err != nil {
		t.Fatal(err)
	}
	return NewIssuer(s), s
}

// signingKeyOf makes one key for each site, since that takes its time.
func signingKeyOf(host string) ([]byte, error) {
	madeKeys.Lock()
	defer madeKeys.Unlock()
	if der := madeKeys.of[host]; der != nil {
		return der, nil
	}
	der, err := newSigningKey()
	madeKeys.of[host] = der
	return der, err
}

var madeKeys = struct {
	sync.Mutex
	of map[string][]byte
}{of: make(map[string][]byte)}

// testSession is one that has an hour left.
func testSession(t testing.TB) otp.Session {
	t.Helper()
	a, err := otp.ParseEmail("jane@example.com")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Millisecond)
	return otp.Session{
		ID:      "07abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ",
		Subject: otp.Subject("app.example.com", a),
		Address: otp.RestoreAddress(otp.Email, a.String()),
		Method:  otp.ByCode,
		Dialect: "nestauth",
		Client:  "web",
		Tenant:  "acme",
		Scope:   "openid email",
		Since:   now.Add(-time.Hour),
		Created: now,
		Expires: now.Add(time.Hour),
	}
}
