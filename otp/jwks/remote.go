// SPDX-License-Identifier: Apache-2.0

package jwks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/endpoint"
)

const (
	// fetchTimeout bounds a fetch, connecting included.
	fetchTimeout = 3 * time.Second
	// fresh is how long keys are taken without asking anew.
	fresh = 10 * time.Minute
	// pause is how long nothing is asked after a fetch, and failurePause after
	// one that failed: signatures by unknown keys must not make us a nuisance.
	pause        = 30 * time.Second
	failurePause = 5 * time.Second
	// keepKeys is how long keys serve while they can't be fetched anew.
	keepKeys = 24 * time.Hour
	// maxKeys is how many keys of a set are looked at.
	maxKeys = 32
)

// RemoteConfig configures keys that are published. URL is required.
type RemoteConfig struct {
	// URL is https; or http, where the host is this machine or in a private
	// network.
	URL string
	// Logger hears when the keys can't be fetched; nil: nobody does.
	Logger *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Remote are keys that somebody publishes as a JSON Web Key Set. They are
// fetched when they are first needed, again after ten minutes, and, at most
// each half minute, where a signature is by none of them. While they can't be
// fetched the last ones serve for up to 24 hours. It is safe for concurrent
// use.
type Remote struct {
	client *http.Client
	url    string
	host   string
	logger *slog.Logger
	now    func() time.Time

	turn chan struct{} // one fetch at a time

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time // when keys were
	asked   time.Time // when they were last asked for
	failure error     // of that
}

// CheckURL refuses URLs that [NewRemote] does.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

func parseURL(text string) (*url.URL, error) {
	return endpoint.ParseURL(text, "keys to be trusted", "https://app.example.com/.well-known/jwks.json")
}

// NewRemote returns the keys at a URL. It doesn't connect.
func NewRemote(c RemoteConfig) (*Remote, error) {
	u, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	r := &Remote{
		client: endpoint.NewClient(),
		url:    c.URL,
		host:   u.Host,
		logger: cmp.Or(c.Logger, slog.New(slog.DiscardHandler)),
		now:    c.Now,
		turn:   make(chan struct{}, 1),
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r, nil
}

// Current implements [Keys].
func (r *Remote) Current(ctx context.Context) ([]jose.JSONWebKey, error) {
	r.fetchUnless(ctx, func(now time.Time) bool { return now.Sub(r.fetched) < fresh })
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil || r.now().Sub(r.fetched) >= keepKeys {
		return nil, &otp.RetryError{Err: unavailable{cmp.Or(r.failure, ctx.Err())}, After: time.Second}
	}
	return r.keys, nil
}

// Newer implements [Keys].
func (r *Remote) Newer(ctx context.Context) ([]jose.JSONWebKey, bool) {
	seen := r.fetchTime()
	r.fetchUnless(ctx, func(time.Time) bool { return !r.fetched.Equal(seen) })
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys, !r.fetched.Equal(seen)
}

func (r *Remote) fetchTime() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fetched
}

// fetchUnless fetches the keys, where that wasn't tried a moment ago and enough
// doesn't say that the present ones do once it is our turn. A fetch goes on
// when ctx ends: others wait for it.
func (r *Remote) fetchUnless(ctx context.Context, enough func(now time.Time) bool) {
	if !r.due(enough) {
		return
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return
	}
	if !r.due(enough) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	keys, err := r.fetch(ctx)
	if err != nil {
		r.logger.Warn("keys can't be fetched", slog.Any("error", err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked, r.failure = r.now(), err
	if err == nil {
		r.keys, r.fetched = keys, r.asked
	}
}

func (r *Remote) due(enough func(now time.Time) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, wait := r.now(), pause
	if r.failure != nil {
		wait = failurePause
	}
	return !enough(now) && now.Sub(r.asked) >= wait
}

// fetch asks for the keys. Those of the set that nothing may be verified by are
// left out, as RFC 7517 §5 has it.
func (r *Remote) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	service := "the keys of " + r.host
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, fmt.Errorf("%s can't be asked for", service)
	}
	request.Header.Set("Accept", "application/json, application/jwk-set+json")
	request.Header.Set("User-Agent", "caddy-otp")
	response, err := r.client.Do(request)
	if err != nil {
		return nil, endpoint.Unanswered(ctx, service, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: answered with status %d", service, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, endpoint.MaxAnswer+1))
	switch {
	case err != nil:
		return nil, endpoint.Unanswered(ctx, service, err)
	case len(body) > endpoint.MaxAnswer:
		return nil, fmt.Errorf("%s: the answer is over %d KiB", service, endpoint.MaxAnswer>>10)
	}
	keys := parseSet(body)
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s: the answer is no JSON Web Key Set with an RSA key of at least %d bits or an ECDSA key on P-256", service, minRSABits)
	}
	return keys, nil
}

// parseSet returns the keys of a set that signatures may be verified by.
func parseSet(body []byte) []jose.JSONWebKey {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil {
		return nil
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) != nil || key.Use != "" && key.Use != "sig" || check(key.Key) != nil {
			continue
		}
		keys = append(keys, key)
	}
	return keys
}

// unavailable is a failure to get keys.
type unavailable struct{ cause error }

var errNotYet = errors.New("the keys could not be fetched")

func (u unavailable) Error() string   { return cmp.Or(u.cause, errNotYet).Error() }
func (u unavailable) Unwrap() []error { return []error{otp.ErrUnavailable, cmp.Or(u.cause, errNotYet)} }
