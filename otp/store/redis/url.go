// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"errors"
	"net/url"

	goredis "github.com/redis/go-redis/v9"
)

// parseURL reads a URL as go-redis does. Errors of the parsers may hold a
// password that wasn't percent-encoded, so they are replaced by our own.
func parseURL(text string) (*goredis.Options, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("redis: the URL can't be read: write redis://user:password@host:port/database and percent-encode what is special in the password")
	}
	switch u.Scheme {
	case "redis", "rediss", "unix":
	default:
		return nil, errors.New("redis: the URL must begin with redis://, rediss:// (TLS) or unix://; write one like redis://localhost:6379")
	}
	// Of the options only these aren't ours to set.
	for option := range u.Query() {
		switch option {
		case "db", "client_name", "pool_size":
		default:
			return nil, errors.New("redis: the URL has an option besides db, client_name and pool_size")
		}
	}
	o, err := goredis.ParseURL(text)
	if err != nil {
		return nil, errors.New("redis: the URL's path must be the number of a database (unix:// the socket's path), pool_size a number")
	}
	if o.DB < 0 || o.PoolSize < 0 {
		return nil, errors.New("redis: the URL's database and pool_size can't be below zero")
	}
	return o, nil
}
