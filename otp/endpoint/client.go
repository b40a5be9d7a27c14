// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// MaxAnswer is how many bytes of an answer, and of its headers, are read.
	MaxAnswer = 64 << 10
	// connectTimeout ends connections that nobody waits for any more.
	connectTimeout = 10 * time.Second
	// idleConnections are kept open for the next request, for idleTimeout.
	idleConnections = 16
	idleTimeout     = 90 * time.Second
)

// NewClient returns a client that follows no redirects, since what is sent
// would go along. It has no deadline but its requests' contexts.
func NewClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  proxy,
			DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSHandshakeTimeout:    connectTimeout,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    idleConnections,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: MaxAnswer,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var errProxy = errors.New("the environment's HTTP_PROXY or HTTPS_PROXY is no URL")

// proxy is the environment's. Its own error would quote the proxy's password.
func proxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if err != nil {
		return nil, errProxy
	}
	return u, nil
}

// Unanswered words an exchange with a service that failed with err, without
// its URL. ctx is the request's.
func Unanswered(ctx context.Context, service string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s didn't answer in time: %w", service, ctx.Err())
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	if cause := NetworkCause(err); cause != nil {
		return fmt.Errorf("%s can't be reached: %w", service, cause)
	}
	return fmt.Errorf("%s gave no HTTP answer", service)
}
