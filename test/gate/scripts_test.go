// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// keyKind takes the kind out of a key's name.
var keyKind = regexp.MustCompile(`\{\d\d\}:([a-z]):`)

// siteOnRedis is a site on a Redis with further arguments, and an operator of that.
func siteOnRedis(t *testing.T, args ...string) (*site.Rig, *goredis.Client) {
	t.Helper()
	site.SkipShort(t)
	redis := redisserver.Start(t, args...)
	store := "store redis " + redis.URL() + " {\n\t\t\ttimeout 5s\n\t\t}\n\t\tsecret a-secret-of-more-than-thirty-two-bytes"
	r := site.New(t, store, "protect /private\n\t\tapi nestauth")
	options, err := goredis.ParseURL(redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	operator := goredis.NewClient(options)
	t.Cleanup(func() { operator.Close() })
	return r, operator
}

// TestLoginIsTwoScripts lists what a Redis is asked while somebody signs in: a
// script for the start and one for the verification, which name a handle first,
// and the message's leaving the outbox. What the server asks by itself names a
// queue or the revocations first.
func TestLoginIsTwoScripts(t *testing.T) {
	r, operator := siteOnRedis(t, "--slowlog-log-slower-than", "0", "--slowlog-max-len", "100000")
	signIn(t, r, "first@example.com") // the realm's keys are there from here on
	for name, login := range map[string]func(){
		"nestauth": func() { signIn(t, r, "jane@example.com") },
		"pages":    func() { signInByPage(r, "joe@example.com") },
	} {
		if err := operator.Do(t.Context(), "SLOWLOG", "RESET").Err(); err != nil {
			t.Fatal(err)
		}
		login()
		log, err := operator.SlowLogGet(t.Context(), -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		scripts := make(map[string]int)
		for _, entry := range log {
			if args := entry.Args; len(args) > 3 && (args[0] == "evalsha" || args[0] == "eval") {
				if kind := keyKind.FindStringSubmatch(args[3]); kind != nil {
					scripts[kind[1]]++
				}
			}
		}
		t.Logf("%s: scripts by the kind of their first key: %v", name, scripts)
		delete(scripts, "q") // the courier's look for messages that are due
		delete(scripts, "v") // the watch's for revocations
		delete(scripts, "m") // a message that was sent, maybe one of before
		if want := map[string]int{"h": 2}; !maps.Equal(scripts, want) {
			t.Errorf("%s: scripts by the kind of their first key are %v, want %v", name, scripts, want)
		}
	}
}

// TestPassedRequestsAskNoStore counts what a Redis is asked while requests
// pass: all that it is asked is what the server asks by itself, a few times in
// a second, and nothing for a request.
func TestPassedRequestsAskNoStore(t *testing.T) {
	r, operator := siteOnRedis(t)
	jane := signIn(t, r, "jane@example.com")
	joe := signInByPage(r, "joe@example.com")
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
