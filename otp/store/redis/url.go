// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"errors"
	"net/url"
	"slices"
	"strings"

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

// Address is what a URL says of where its server is, without the credentials:
// its host and port, or its socket.
func Address(url string) (address string, database int, err error) {
	o, err := parseURL(url)
	if err != nil {
		return "", 0, err
	}
	return o.Addr, o.DB, nil
}

// servers are what the URLs of a store name.
type servers struct {
	addrs []string
	// options are those of the first URL, from which the others differ in
	// nothing but the address, with the settings in them.
	options *goredis.Options
	// sentinel says that the addresses are those of Sentinels, whose own
	// credentials these are.
	sentinel                           bool
	sentinelUsername, sentinelPassword string
}

func parseServers(s settings) (*servers, error) {
	if len(s.urls) == 0 {
		return nil, errors.New("redis: there is no URL; write one like redis://localhost:6379")
	}
	v := &servers{sentinel: s.master != ""}
	for _, text := range s.urls {
		o, err := parseURL(text)
		if err != nil {
			return nil, err
		}
		if v.options == nil {
			v.options = o
		} else if !sameButAddress(o, v.options) {
			return nil, errors.New("redis: all URLs must have the same scheme, user, password, database and options; only their hosts and ports may differ")
		}
		if slices.Contains(v.addrs, o.Addr) {
			return nil, errors.New("redis: a host and port stands twice among the URLs; remove one")
		}
		v.addrs = append(v.addrs, o.Addr)
	}
	return v, v.apply(s)
}

func sameButAddress(a, b *goredis.Options) bool {
	return a.Network == b.Network && a.Username == b.Username && a.Password == b.Password && a.DB == b.DB &&
		a.PoolSize == b.PoolSize && a.ClientName == b.ClientName && (a.TLSConfig == nil) == (b.TLSConfig == nil)
}

// apply puts the settings that may stand in a URL too into the options.
func (v *servers) apply(s settings) error {
	o := v.options
	switch {
	case o.Network == "unix" && v.sentinel:
		return errors.New("redis: Sentinels are reached over redis:// or rediss://, not a unix socket; write their hosts and ports, or remove `sentinel`")
	case o.Network == "unix" && len(v.addrs) > 1:
		return errors.New("redis: several URLs are the nodes of a Cluster, which has no unix sockets; write one unix:// URL, or redis:// ones")
	case v.clustered() && o.DB != 0:
		return errClusterDatabase
	case s.tls != nil && o.TLSConfig == nil:
		return errors.New("redis: tls needs a URL that begins with rediss://")
	}
	if s.poolSize > 0 {
		if o.PoolSize > 0 {
			return errors.New("redis: pool_size stands in the URL too; keep one")
		}
		o.PoolSize = s.poolSize
	}
	if v.sentinel {
		v.sentinelUsername, v.sentinelPassword = o.Username, o.Password
		o.Username, o.Password = s.username, s.password
	} else if s.password != "" {
		if o.Username != "" || o.Password != "" {
			return errors.New("redis: a user or password stands in the URL too; keep either it or the options username and password")
		}
		o.Username, o.Password = s.username, s.password
	}
	return nil
}

var errClusterDatabase = errors.New("redis: a Cluster has only database 0; remove the database from the URL")

// clustered reports whether the URLs can only be a Cluster's.
func (v *servers) clustered() bool { return len(v.addrs) > 1 && !v.sentinel }

// name names the servers for errors, without credentials.
func (v *servers) name(master string) string {
	addrs := strings.Join(v.addrs, ", ")
	if v.sentinel {
		return master + " of Sentinel " + addrs
	}
	return addrs
}
