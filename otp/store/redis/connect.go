// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// sparePool are the connections for what goes past the batcher.
const sparePool = 4

// configure sets what makes a client answer in time and never run a command
// twice by itself: it would try again after a lost connection, which may have
// been lost after the command ran.
func configure(o *goredis.Options, timeout time.Duration) {
	o.ContextTimeoutEnabled = true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = timeout, timeout, timeout, timeout
	o.DialerRetries = 1
	o.MaxRetries = -1
	// What a handshake needn't do: scripts need nothing of RESP3.
	o.Protocol = 2
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	// One pool serves pipelines and single commands.
	o.PipelinePoolSize = -1
	if o.PoolSize == 0 {
		o.PoolSize = maxDirect + maxLanes + sparePool
	}
	o.MaxActiveConns = o.PoolSize
}

// directOf is how many commands are sent by themselves where a pool has this
// size.
func directOf(poolSize int) int { return max(1, poolSize-maxLanes-sparePool) }

// newFailover returns a client of the primary that Sentinels name.
func newFailover(v *servers, master string) *goredis.Client {
	o := v.options
	f := &goredis.FailoverOptions{
		MasterName:            master,
		SentinelAddrs:         slices.Clone(v.addrs),
		SentinelUsername:      v.sentinelUsername,
		SentinelPassword:      v.sentinelPassword,
		ClientName:            o.ClientName,
		Dialer:                o.Dialer,
		Protocol:              o.Protocol,
		Username:              o.Username,
		Password:              o.Password,
		DB:                    o.DB,
		MaxRetries:            o.MaxRetries,
		DialTimeout:           o.DialTimeout,
		DialerRetries:         o.DialerRetries,
		ReadTimeout:           o.ReadTimeout,
		WriteTimeout:          o.WriteTimeout,
		ContextTimeoutEnabled: true,
		PipelinePoolSize:      o.PipelinePoolSize,
		PoolSize:              o.PoolSize,
		PoolTimeout:           o.PoolTimeout,
		MaxActiveConns:        o.MaxActiveConns,
		DisableIdentity:       o.DisableIdentity,
	}
	client := goredis.NewFailoverClient(f)
	// The client of the data servers has its options by now; those of the
	// Sentinels' are read when it connects. A Sentinel that is silent must not
	// use up the time in which another could be asked.
	f.DialTimeout, f.ReadTimeout, f.WriteTimeout = o.DialTimeout/4, o.ReadTimeout/4, o.WriteTimeout/4
	return client
}

// newClusterClient returns a client of a Cluster's primaries. It never follows
// a redirection by itself in a pipeline, which it would run again whole.
func newClusterClient(v *servers) *goredis.ClusterClient {
	o := v.options
	return goredis.NewClusterClient(&goredis.ClusterOptions{
		Addrs:                  slices.Clone(v.addrs),
		ClientName:             o.ClientName,
		Dialer:                 o.Dialer,
		Protocol:               o.Protocol,
		Username:               o.Username,
		Password:               o.Password,
		MaxRetries:             o.MaxRetries,
		DialTimeout:            o.DialTimeout,
		DialerRetries:          o.DialerRetries,
		ReadTimeout:            o.ReadTimeout,
		WriteTimeout:           o.WriteTimeout,
		ContextTimeoutEnabled:  true,
		PipelinePoolSize:       o.PipelinePoolSize,
		PoolSize:               o.PoolSize,
		PoolTimeout:            o.PoolTimeout,
		MaxActiveConns:         o.MaxActiveConns,
		DisableIdentity:        o.DisableIdentity,
		DisableRoutingPolicies: true,
		// Redirections and failures have it reloaded at once.
		ClusterStateReloadInterval: 10 * time.Second,
		MaintNotificationsConfig:   o.MaintNotificationsConfig,
	})
}

// secure makes the options' connections TLS where the URLs ask for it: with
// our roots and certificate, if there are any.
func (v *servers) secure(t *tlsSettings) {
	if v.options.TLSConfig == nil {
		return
	}
	base := &tls.Config{MinVersion: tls.VersionTLS12}
	if t != nil {
		base.RootCAs = t.roots
		if t.certificate != nil {
			base.Certificates = []tls.Certificate{*t.certificate}
		}
	}
	var hosts []string
	for _, addr := range v.addrs {
		if host, _, err := net.SplitHostPort(addr); err == nil {
			hosts = append(hosts, host)
		}
	}
	timeout := v.options.DialTimeout
	v.options.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return shakeHands(ctx, trusting(base, host, hosts), plain(timeout), network, addr)
	}
}

// errNoHandshake says that a server takes connections and doesn't answer TLS:
// one without it waits for the end of what it takes for a command.
var errNoHandshake = errors.New("it doesn't answer the TLS handshake; if it doesn't speak TLS, write redis:// instead of rediss://")

// shakeHands makes a connection with TLS. It gives up before an operation that
// waits for it does, which couldn't tell why.
func shakeHands(ctx context.Context, config *tls.Config, dialer *net.Dialer, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialer.Timeout*3/4)
	defer cancel()
	plain, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		plain.Close()
		if isTimeout(err) {
			return nil, fmt.Errorf("%w: %w", errNoHandshake, err)
		}
		return nil, err
	}
	return conn, nil
}

// trusting returns a configuration for a server at host. The nodes of a Cluster
// and the primary of Sentinels tell their addresses by themselves, often IPs
// that no certificate is for: one for a host of the URLs is as good.
func trusting(base *tls.Config, host string, hosts []string) *tls.Config {
	config := base.Clone()
	config.ServerName = host
	if slices.Contains(hosts, host) && len(hosts) == 1 {
		return config
	}
	names := append([]string{host}, hosts...)
	config.InsecureSkipVerify = true // VerifyConnection does all that it would
	config.VerifyConnection = func(state tls.ConnectionState) error {
		intermediates := x509.NewCertPool()
		for _, certificate := range state.PeerCertificates[1:] {
			intermediates.AddCert(certificate)
		}
		var failure error
		for _, name := range names {
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
				DNSName: name, Roots: base.RootCAs, Intermediates: intermediates,
			})
			if err == nil {
				return nil
			}
			failure = &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		return failure
	}
	return config
}
