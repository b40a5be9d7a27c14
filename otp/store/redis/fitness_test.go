// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	good := settingsFound{"redis_version": "7.2.4", "maxmemory_policy": "noeviction", "role": "master", "aof_enabled": "1", saved: ""}
	const server = "redis.example.com:6379"
	with := func(pairs ...string) settingsFound {
		changed := settingsFound{}
		for name, value := range good {
			changed[name] = value
		}
		for i := 0; i < len(pairs); i += 2 {
			changed[pairs[i]] = pairs[i+1]
			if pairs[i+1] == "absent" {
				delete(changed, pairs[i])
			}
		}
		return changed
	}
	for _, test := range []struct {
		name                       string
		found                      []settingsFound
		any                        bool
		unfit, misplaced, warnings string
	}{
		{"good", []settingsFound{good}, false, "", "", ""},
		{"nobody", nil, false, "", "", ""},
		{"6.2", []settingsFound{with("redis_version", "6.2.0")}, false, "", "", ""},
		{"10", []settingsFound{with("redis_version", "10.0.1")}, false, "", "", ""},
		{"Valkey, that claims to be an old Redis", []settingsFound{with("valkey_version", "8.0.1", "redis_version", "5.0")}, false, "", "", ""},
		{"6.0", []settingsFound{with("redis_version", "6.0.16")}, false, "has version 6.0.16: upgrade it to 6.2 or later", "", ""},
		{"5", []settingsFound{with("redis_version", "5.0.7")}, false, "5.0.7", "", ""},
		{"no version", []settingsFound{with("redis_version", "absent")}, false, "", "", "doesn't tell its version"},
		{"odd version", []settingsFound{with("redis_version", "secret\x00")}, false, "", "", "doesn't tell its version"},
		{"evicts", []settingsFound{with("maxmemory_policy", "allkeys-lru")}, false, "maxmemory-policy allkeys-lru", "", ""},
		{"evicts what has a TTL", []settingsFound{with("maxmemory_policy", "volatile-ttl")}, false, "`any_eviction_policy`", "", ""},
		{"odd policy", []settingsFound{with("maxmemory_policy", strings.Repeat("x", 1000))}, false, "(unreadable)", "", ""},
		{"evicts, and that is accepted", []settingsFound{with("maxmemory_policy", "allkeys-lru")}, true, "", "", ""},
		{"one of several evicts", []settingsFound{good, with("maxmemory_policy", "allkeys-lru"), good}, false, "allkeys-lru", "", ""},
		{"no policy", []settingsFound{with("maxmemory_policy", "absent")}, false, "", "", "doesn't tell its maxmemory-policy"},
		{"no policy, and any is accepted", []settingsFound{with("maxmemory_policy", "absent")}, true, "", "", ""},
		{"replica", []settingsFound{with("role", "slave")}, false, "", "is a replica", ""},
		{"save points", []settingsFound{with("aof_enabled", "0", saved, "3600 1")}, false, "", "", ""},
		{"nothing on disk", []settingsFound{with("aof_enabled", "0", saved, "")}, false, "", "", "keeps nothing on disk"},
		{"maybe on disk", []settingsFound{with("aof_enabled", "0", saved, "absent")}, false, "", "", "doesn't tell whether it saves"},
	} {
		v := judge(server, test.any, test.found)
		for what, pair := range map[string][2]string{
			"unfit": {v.unfit, test.unfit}, "misplaced": {v.misplaced, test.misplaced},
			"warnings": {strings.Join(v.warnings, "\n"), test.warnings},
		} {
			got, want := pair[0], pair[1]
			if !strings.Contains(got, want) || (got == "") != (want == "") {
				t.Errorf("%s: %s is %q, want %q", test.name, what, got, want)
			}
			if got != "" && !strings.Contains(got, server) || strings.ContainsAny(got, "\x00") || len(got) > 300 {
				t.Errorf("%s: %s is %q", test.name, what, got)
			}
		}
	}
}
