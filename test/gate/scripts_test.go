// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"maps"
	"regexp"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// keyKind takes the kind out of a key's name.
var keyKind = regexp.MustCompile(`\{\d\d\}:([a-z]):`)

// TestLoginIsTwoScripts lists what a Redis is asked while somebody signs in: a
// script for the start and one for the verification, which name a handle first,
// and the message's leaving the outbox. What the server asks by itself names a
// queue or the revocations first.
func TestLoginIsTwoScripts(t *testing.T) {
	site.SkipShort(t)
	redis := redisserver.Start(t, "--slowlog-log-slower-than", "0", "--slowlog-max-len", "100000")
	store := "store redis " + redis.URL() + " {\n\t\t\ttimeout 5s\n\t\t}\n\t\tsecret a-secret-of-more-than-thirty-two-bytes"
	r := site.New(t, store, "protect /private\n\t\tapi nestauth")
	signIn(t, r, "first@example.com") // the realm's keys are there from here on

	options, err := goredis.ParseURL(redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	operator := goredis.NewClient(options)
	t.Cleanup(func() { operator.Close() })
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
