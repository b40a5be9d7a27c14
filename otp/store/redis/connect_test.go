// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

func containsAll(value any, parts ...string) bool {
	text := fmt.Sprint(value)
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// wantSays checks that an error says what to do, and no secret.
func wantSays(t *testing.T, err error, says string, secrets ...string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("error %v doesn't say %q", err, says)
		return
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q holds %q", err, secret)
		}
	}
}

func TestServersThatDontFit(t *testing.T) {
	server, _ := serve(t)
	second := redisserver.Start(t)
	cluster := serveCluster(t)
	for _, test := range []struct {
		urls []string
		says string
	}{
		{[]string{server.URL(), second.URL()}, "several URLs are the nodes of a Cluster, but the server is none"},
		{[]string{server.URL() + "/99"}, "it doesn't have the database in the URL"},
		{[]string{cluster.URLs()[0] + "/3"}, "a Cluster has only database 0"},
	} {
		log := new(logBuffer)
		s := openAt(t, test.urls, WithLogger(slog.New(slog.NewTextHandler(log, nil))))
		if err := s.Check(t.Context()); err != nil { // what is wrong for good stops the start
			wantSays(t, err, test.says)
		}
		for range 2 {
			_, err := s.Get(t.Context(), "key")
			wantSays(t, err, test.says)
		}
		wantLog(t, log, map[string]int{"doesn't tell": 0})
	}
}

// A user that may run scripts and nothing else learns from the redirections
// that the server is a Cluster's.
func TestClusterThatDoesntTell(t *testing.T) {
	servers := serveCluster(t)
	for _, node := range servers.Servers {
		if _, err := node.Do("ACL", "SETUSER", "otp", "on", ">secret", "~*", "+@all", "-hello"); err != nil {
			t.Fatal(err)
		}
	}
	s := openAt(t, servers.URLs()[:1], WithCredentials("otp", "secret"))
	for n := range int64(otp.Shards) {
		if err := logIn(t.Context(), s, n); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLeastPermissions: what the README says that an ACL user needs.
func TestLeastPermissions(t *testing.T) {
	alone, _ := serve(t)
	cluster := serveCluster(t)
	for _, servers := range [][]*redisserver.Server{{alone}, cluster.Servers} {
		for _, server := range servers {
			if _, err := server.Do("ACL", "SETUSER", "otp", "on", ">secret", "~t*", "+@all", "-@dangerous", "+info", "+@scripting"); err != nil {
				t.Fatal(err)
			}
		}
		s := openAt(t, []string{servers[0].URL()}, WithCredentials("otp", "secret"))
		for n := range int64(otp.Shards) {
			if err := logIn(t.Context(), s, n); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Claim(t.Context(), []string{"app.example.com"}, 10, time.Minute); err != nil {
			t.Error(err)
		}
	}
}

// TestReconfigure rotates a password, many times, while others log in.
func TestReconfigure(t *testing.T) {
	server, _ := serve(t)
	password := func(i int) string { return fmt.Sprint("secret", i) }
	user := func(rules ...any) {
		t.Helper()
		if _, err := server.Do(append([]any{"ACL", "SETUSER", "otp", "on", "~*", "+@all"}, rules...)...); err != nil {
			t.Fatal(err)
		}
	}
	urls, prefix := []string{server.URL()}, WithKeyPrefix("p:")
	user(">" + password(0))
	s, err := OpenServers(urls, prefix, WithTimeout(10*time.Second), WithCredentials("otp", password(0)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	timeout := WithTimeout(5 * time.Second)
	end := make(chan struct{})
	var running sync.WaitGroup
	const workers = 8
	var logins [workers]atomic.Int64 // that have ended, of each worker
	for worker := range int64(workers) {
		running.Go(func() {
			for n := worker; ; n += workers {
				select {
				case <-end:
					return
				default:
				}
				if err := logIn(t.Context(), s, n); err != nil {
					t.Error(err)
				}
				logins[worker].Add(1)
			}
		})
	}
	// underWayEnd waits until whatever is under way has ended: it may still
	// connect with the password of its configuration.
	underWayEnd := func() {
		t.Helper()
		var before [workers]int64
		for i := range logins {
			before[i] = logins[i].Load()
		}
		eventually(t, "logins that were under way ended", func() bool {
			for i := range logins {
				if logins[i].Load() == before[i] {
					return false
				}
			}
			return true
		})
	}
	for i := 1; i < 20; i++ {
		user(">" + password(i))
		if err := s.Reconfigure(urls, prefix, timeout, WithCredentials("otp", password(i))); err != nil {
			t.Fatal(err)
		}
		client := s.client()
		if err := s.Reconfigure(urls, prefix, timeout, WithCredentials("otp", password(i))); err != nil || s.client() != client {
			t.Errorf("the same configuration makes another client, or %v", err)
		}
		underWayEnd()
		user("<" + password(i-1)) // whoever is connected stays so
	}
	close(end)
	running.Wait()
	if err := s.Reconfigure(urls, prefix, timeout, WithCredentials("", "")); err != nil {
		t.Fatal(err)
	}
	if err := s.Reconfigure(urls); err == nil {
		t.Error("an open store takes another key prefix")
	}
	if err := s.Reconfigure([]string{"nonsense"}, prefix); err == nil {
		t.Error("a bad URL is taken")
	}
	start(t, s, 1<<40)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.draining) > 0 {
		t.Errorf("%d old links are left", len(s.draining))
	}
}

// TestMendedByReconfiguring: what a configuration puts right is told once, and
// its end as well.
func TestMendedByReconfiguring(t *testing.T) {
	server, admin := serve(t)
	if _, err := server.Do("ACL", "SETUSER", "otp", "on", ">right", "~*", "+@all"); err != nil {
		t.Fatal(err)
	}
	prefix := WithKeyPrefix("logged:")
	s, log := openLogged(t, server.URL(), unhurried, WithCredentials("otp", "wrong"))
	told := func(line string) func() bool {
		return func() bool {
			s.Get(t.Context(), "key")
			return strings.Contains(log.String(), line)
		}
	}
	eventually(t, "told", told("redis is down"))
	if err := s.Reconfigure([]string{server.URL()}, prefix, unhurried, WithCredentials("otp", "right")); err != nil {
		t.Fatal(err)
	}
	start(t, s, 1)
	eventually(t, "told", told("redis is up again"))

	ask(t, admin, "REPLICAOF", "127.0.0.1", "1")
	eventually(t, "told", func() bool {
		s.Start(t.Context(), testChallenge(2), nil)
		return strings.Contains(log.String(), "takes no writes")
	})
	ask(t, admin, "REPLICAOF", "NO", "ONE")
	if err := s.Reconfigure([]string{server.URL()}, prefix, unhurried); err != nil {
		t.Fatal(err)
	}
	eventually(t, "told", told("redis takes writes again"))
	time.Sleep(time.Second) // what went before still has its time
	wantLog(t, log, map[string]int{"redis is down": 1, "redis is up again": 1, "takes no writes": 1, "takes writes again": 1})
}

func TestPoolSize(t *testing.T) {
	server, _ := serve(t)
	for _, size := range []int{2, 30} {
		s := open(t, server, WithPoolSize(size))
		var all sync.WaitGroup
		for n := range int64(300) {
			all.Go(func() {
				if err := logIn(t.Context(), s, n); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if used := s.client().PoolStats().TotalConns; used > uint32(size) || size == 30 && used <= maxDirect+maxLanes {
			t.Errorf("%d connections of a pool of %d", used, size)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	dir, err := os.MkdirTemp("", "otp") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	redisserver.Start(t, "--unixsocket", socket)
	s := openAt(t, []string{"unix://" + socket + "?db=3"})
	start(t, s, 1)
	if info := ask(t, s, "CLIENT", "INFO"); !strings.Contains(info, "db=3") {
		t.Errorf("the connection is %s", info)
	}
}

// authority signs certificates for a test.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key}
	a.certificate = a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, key)
	return a
}

// sign returns a certificate, by the authority itself where it has none yet.
func (a *authority) sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	if parent == nil {
		parent = template
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return certificate
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// issue returns a certificate for hosts and writes it and its key to files.
func (a *authority) issue(hosts ...string) (pair tls.Certificate, certificateFile, keyFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	certificate := a.sign(template, a.certificate, key)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	dir := a.t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			a.t.Fatal(err)
		}
		return path
	}
	return tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key},
		write("cert.pem", "CERTIFICATE", certificate.Raw), write("key.pem", "PRIVATE KEY", keyDER)
}

// serveTLS starts a server that wants certificates of an authority, and returns
// it with what its clients need.
func serveTLS(t *testing.T) (server *redisserver.Server, a *authority, pair tls.Certificate, url string) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	a = newAuthority(t)
	_, certificate, key := a.issue("127.0.0.1")
	_, ca, _ := a.issue() // only for a folder to write into
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := freeport.Addr(t)
	_, port, _ := net.SplitHostPort(addr)
	server = redisserver.Start(t, "--tls-port", port, "--tls-cert-file", certificate, "--tls-key-file", key,
		"--tls-ca-cert-file", ca, "--tls-auth-clients", "yes")
	pair, _, _ = a.issue()
	return server, a, pair, "rediss://" + addr
}

func TestTLS(t *testing.T) {
	_, a, pair, url := serveTLS(t)
	addr := strings.TrimPrefix(url, "rediss://")
	_, port, _ := net.SplitHostPort(addr)
	stranger, _, _ := newAuthority(t).issue()
	start(t, openAt(t, []string{url}, WithTLS(a.pool(), &pair)), 1)
	for says, s := range map[string]*Store{
		"its certificate isn't trusted": openAt(t, []string{url}),
		"redis at " + addr:              openAt(t, []string{url}, WithTLS(a.pool(), nil)),
		"redis at 127.0.0.1":            openAt(t, []string{url}, WithTLS(a.pool(), &stranger)),
		"certificate isn't trusted, or": openAt(t, []string{url}, WithTLS(newAuthority(t).pool(), &pair)),
		"is for another host":           openAt(t, []string{"rediss://localhost:" + port}, WithTLS(a.pool(), &pair)),
	} {
		_, err := s.Get(t.Context(), "key")
		wantSays(t, err, says)
	}
}

// TestTLSWithoutTLS: a server that waits for the rest of a command is told from
// one that doesn't answer.
func TestTLSWithoutTLS(t *testing.T) {
	addr := strings.TrimPrefix(redisserver.Start(t).URL(), "redis://")
	_, err := openAt(t, []string{"rediss://" + addr}, WithTimeout(2*time.Second)).Get(t.Context(), "key")
	wantSays(t, err, "write redis:// instead of rediss://")
}

// A node tells its address by itself: a certificate for a host of the URLs is
// as good as one for the address, and one for neither isn't.
func TestTrusting(t *testing.T) {
	a := newAuthority(t)
	for _, test := range []struct {
		certified string
		host      string
		hosts     []string
		trusted   bool
	}{
		{"redis.example.com", "redis.example.com", []string{"redis.example.com"}, true},
		{"redis.example.com", "other.example.com", []string{"other.example.com"}, false},
		{"redis.example.com", "10.0.0.7", []string{"redis.example.com"}, true},
		{"10.0.0.7", "10.0.0.7", []string{"redis.example.com"}, true},
		{"10.0.0.7", "10.0.0.7", []string{"10.0.0.6", "10.0.0.7"}, true},
		{"10.0.0.9", "10.0.0.7", []string{"10.0.0.6", "redis.example.com"}, false},
	} {
		for _, roots := range []*x509.CertPool{a.pool(), newAuthority(t).pool()} {
			pair, _, _ := a.issue(test.certified)
			here, there := net.Pipe()
			go func() {
				server := tls.Server(there, &tls.Config{Certificates: []tls.Certificate{pair}})
				server.Handshake()
				server.Close()
			}()
			err := tls.Client(here, trusting(&tls.Config{RootCAs: roots}, test.host, test.hosts)).Handshake()
			here.Close()
			if want := test.trusted && roots.Equal(a.pool()); (err == nil) != want {
				t.Errorf("%s at %s, where the URLs say %v: %v", test.certified, test.host, test.hosts, err)
			}
			if err != nil && !strings.Contains(reason(err), "certificate") {
				t.Errorf("reason is %q", reason(err))
			}
		}
	}
}
