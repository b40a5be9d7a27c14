// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-otp/caddy-otp/otp/store/redis"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

// TestReloadRotatesCredentials: the store goes on, with the new password and
// the new timeout, and a configuration that is refused changes nothing.
func TestReloadRotatesCredentials(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	c := run(t)
	server := redisserver.Start(t)
	file := filepath.Join(t.TempDir(), "password")
	rotate := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range [][]any{
			{"ACL", "SETUSER", "otp", "on", "resetpass", ">" + password, "~*", "&*", "+@all"},
			{"CLIENT", "KILL", "USER", "otp"},
		} {
			if _, err := server.Do(command...); err != nil {
				t.Fatal(err)
			}
		}
	}
	config := func(more string) string {
		return "store redis " + server.URL() + " {\nusername otp\npassword {file." + file + "}\n" + more + "\n}\nsecret \"" + testSecret + `"`
	}
	rotate("first s3cret")
	first := c.mustLoad(config("timeout 5s"), loopback)
	c.works(first)
	opened := *first.opened.Load()

	rotate("second s3cret")
	if _, err := first.Get(t.Context(), "key"); err == nil {
		t.Error("the old password still works: the test shows nothing")
	} else if !strings.Contains(err.Error(), "the username or the password is wrong") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error is %v", err)
	}
	if err := c.load(config("timeout 5s\ntls {\nca /nowhere\n}"), loopback); err == nil {
		t.Fatal("a CA that isn't there is taken")
	}
	if got := c.mustLoad(config("timeout 6s"), loopback); got != first || *got.opened.Load() != opened {
		t.Error("the reload has another store")
	}
	if first.module.Patience() != 6*time.Second {
		t.Errorf("the store waits %v", first.module.Patience())
	}
	if value, err := first.Get(t.Context(), t.Name()); err != nil || string(value) != "value" {
		t.Errorf("after the reload the store has %q, %v", value, err)
	}
	if len(first.running) != 1 {
		t.Errorf("the store goes by %d configurations", len(first.running))
	}
}

// TestAbandonedConfiguration: where a configuration is given up after its
// start, the one before counts again.
func TestAbandonedConfiguration(t *testing.T) {
	old, next := &RedisStore{URLs: []string{"redis://localhost"}, Timeout: caddy.Duration(time.Second)}, &RedisStore{URLs: []string{"redis://localhost"}}
	for _, s := range []*RedisStore{old, next} {
		if err := s.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
	}
	store, err := loadStore(old, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stores.Delete(old.Identity())
	open, err := redis.OpenServers(old.urls, old.options...)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	var opened OpenStore = open
	store.opened.Store(&opened)
	defer store.opened.Store(nil) // so that Destruct stops no watch that never began
	for _, step := range []struct {
		do   func(Store) error
		what Store
		goes Store
	}{
		{store.adopt, old, old}, {store.adopt, next, next}, {store.abandon, next, old},
		{store.adopt, next, next}, {store.abandon, old, next}, {store.abandon, next, next},
	} {
		if err := step.do(step.what); err != nil || store.module != step.goes {
			t.Errorf("goes by %+v, %v", store.module, err)
		}
	}
}

func TestRedisStoreRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	nonsense := write("nonsense.pem", "s3cret")
	gone := filepath.Join(dir, "gone.pem")
	one, two := []string{"rediss://localhost"}, []string{"redis://a", "redis://b"}
	for says, s := range map[string]RedisStore{
		"store redis tls ca: " + nonsense + " has no certificate in PEM":                       {URLs: one, TLS: &RedisTLS{CA: nonsense}},
		"store redis tls ca: " + gone + " can't be read: no such file or directory":            {URLs: one, TLS: &RedisTLS{CA: gone}},
		"store redis tls client_auth: " + gone + " can't be read: no such file":                {URLs: one, TLS: &RedisTLS{ClientCertificate: gone, ClientKey: nonsense}},
		"store redis tls client_auth needs both a certificate and its key":                     {URLs: one, TLS: &RedisTLS{ClientKey: nonsense}},
		"are no certificate and its key, in PEM and in this order":                             {URLs: one, TLS: &RedisTLS{ClientCertificate: nonsense, ClientKey: nonsense}},
		"redis: tls needs a URL that begins with rediss://":                                    {URLs: two[:1], TLS: &RedisTLS{CA: writeCA(t)}},
		"redis: all URLs must have the same scheme, user, password, database and options":      {URLs: []string{"redis://a", "redis://:s3cret@b"}},
		"redis: a host and port stands twice among the URLs":                                   {URLs: []string{"redis://a", "redis://a:6379"}},
		"redis: several URLs are the nodes of a Cluster, which has no unix sockets":            {URLs: []string{"unix:///a", "unix:///b"}},
		"redis: Sentinels are reached over redis:// or rediss://":                              {URLs: []string{"unix:///a"}, Sentinel: "main"},
		"redis: a Cluster has only database 0; remove the database from the URL":               {URLs: []string{"redis://a/1", "redis://b/1"}},
		"redis: there is no URL; write one like redis://localhost:6379":                        {Sentinel: "main"},
		"redis: there is a username without a password; write both":                            {URLs: two[:1], Username: "otp"},
		"redis: a user or password stands in the URL too; keep either it or the options":       {URLs: []string{"redis://:s3cret@a"}, Password: "other s3cret"},
		"redis: pool_size stands in the URL too; keep one":                                     {URLs: []string{"redis://a?pool_size=3"}, PoolSize: 5},
		"store redis password: {env.OTP_TEST_UNSET} is empty; set the variable OTP_TEST_UNSET": {URLs: two[:1], Password: "{env.OTP_TEST_UNSET}"},
	} {
		err := s.Provision(caddy.Context{})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, not %s", err, says)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v holds a secret", err)
		}
	}
}

// writeCA returns a file with a certificate.
func writeCA(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, []byte(anyCertificate), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// anyCertificate is one of nobody.
const anyCertificate = `-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUeZYfUy+0jJAreJehh/qAOszU6kgwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjUyMzIxMzNaGA8yMTI2MTEwMTIzMjEz
M1owDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKhx
cX4i9uOOaUA1Ivg+xQe4SdokU+qFYzxUy6xFQdT6BppV7t+h9WZ6EObZnTipaAsM
TVMxe0kiXGa8YuFMU2+jUzBRMB0GA1UdDgQWBBT61YssqEYZKdbBAzSnviUFlVl4
zDAfBgNVHSMEGDAWgBT61YssqEYZKdbBAzSnviUFlVl4zDAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQCYYuwY+2Xg7bnYdB6J0e4z8ZfmxOky7y0t
w44+rMnoDAIhAMK8UZP6RXY8MXUOBw9aqVEaLwN5Sk51Hfqb4ynmDL7o
-----END CERTIFICATE-----
`
