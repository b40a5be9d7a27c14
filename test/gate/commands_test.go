// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestPassedRequestsAskNoStore counts what a Redis is asked while requests
// pass: all that it is asked is what the server asks by itself, a few times in
// a second, and nothing for a request.
func TestPassedRequestsAskNoStore(t *testing.T) {
	site.SkipShort(t)
	redis := redisserver.Start(t)
	store := "store redis " + redis.URL() + " {\n\t\t\ttimeout 5s\n\t\t}\n\t\tsecret a-secret-of-more-than-thirty-two-bytes"
	r := site.New(t, store, "protect /private\n\t\tapi nestauth")
	jane := signIn(t, r, "jane@example.com")
	joe := signInByPage(r, "joe@example.com")

	options, err := goredis.ParseURL(redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	operator := goredis.NewClient(options)
	t.Cleanup(func() { operator.Close() })
	asked := func() (calls int) {
		info, err := operator.InfoMap(t.Context(), "commandstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		// All that the store asks for is a script.
		if _, err := fmt.Sscanf(info["Commandstats"]["cmdstat_evalsha"], "calls=%d,", &calls); err != nil {
			t.Fatal(err)
		}
		return calls
	}
	stranger := &http.Client{}
	const requests = 1000
	for _, tc := range []struct {
		name, path string
		client     *http.Client
		headers    []string
		want       string
	}{
		{"anonymous", "/public", stranger, nil, "GET /public"},
		{"signed in by cookie", "/private", joe.Client, nil, "Remote-Email: joe@example.com"},
		{"bearer", "/private", stranger, []string{"Authorization", "Bearer " + jane.token}, "Remote-Email: jane@example.com"},
	} {
		pass := func() {
			if a := site.Do(t, tc.client, http.MethodGet, r.URL+tc.path, "", tc.headers...); a.Status != http.StatusOK || !strings.Contains(a.Body, tc.want) {
				t.Fatalf("%s: %d %s", tc.name, a.Status, a.Body)
			}
		}
		pass() // a first request may learn who its visitor is
		before := asked()
		for range requests {
			pass()
		}
		grown := asked() - before
		t.Logf("%s: %d scripts beside %d requests", tc.name, grown, requests)
		if grown > requests/10 {
			t.Errorf("%s: %d scripts for %d requests", tc.name, grown, requests)
		}
	}
}
