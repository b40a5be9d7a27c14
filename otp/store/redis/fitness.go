// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// settingsFound are what a server tells of itself (INFO), by name.
type settingsFound map[string]string

// saved is the entry for its save points (CONFIG GET save): its own name, as
// INFO has none. It is absent where the server doesn't tell.
const saved = "save"

// verdict is what is thought of servers' settings.
type verdict struct {
	// unfit says why they can't be used, and what to do.
	unfit string
	// misplaced says why a server is the wrong one, as far as that can last.
	misplaced string
	warnings  []string
}

// The oldest version that has all commands that are used (SET PXAT).
const (
	oldestMajor = 6
	oldestMinor = 2
)

// judge judges the settings of all servers that keep our keys. A verdict names
// the server that it is of by server, and the options that are meant.
func judge(server string, anyEvictionPolicy bool, all []settingsFound) verdict {
	var v verdict
	warn := func(format string, args ...any) {
		v.warnings = append(v.warnings, "redis at "+server+" "+fmt.Sprintf(format, args...))
	}
	for _, found := range all {
		if version, known := found.version(); !known {
			warn("doesn't tell its version: it must be a Redis %d.%d or later, or a Valkey", oldestMajor, oldestMinor)
		} else if version != "" {
			v.unfit = cmp.Or(v.unfit, fmt.Sprintf("redis at %s has version %s: upgrade it to %d.%d or later, or name another in `store redis`",
				server, version, oldestMajor, oldestMinor))
		}
		switch policy := found["maxmemory_policy"]; {
		case anyEvictionPolicy, policy == "noeviction":
		case policy == "":
			warn("doesn't tell its maxmemory-policy: it must be noeviction, or throttles and sign-outs may be forgotten")
		default:
			v.unfit = cmp.Or(v.unfit, fmt.Sprintf("redis at %s has the maxmemory-policy %s, so it may forget throttles and sign-outs: "+
				"set it to noeviction, or accept that by `any_eviction_policy` in `store redis`", server, word(policy)))
		}
		if found["role"] == "slave" {
			v.misplaced = cmp.Or(v.misplaced, fmt.Sprintf("redis at %s is a replica, which takes no writes: name its primary in `store redis`", server))
		}
		switch points, told := found[saved]; {
		case found["aof_enabled"] != "0": // it is on, or nothing is told at all
		case told && points == "":
			warn("keeps nothing on disk: when it restarts, everybody is signed out and all throttles begin anew; set appendonly yes")
		case !told:
			warn("has appendonly no, and doesn't tell whether it saves its data in another way: see that it does")
		}
	}
	return v
}

// version returns the version of a server that is too old, or "" for one that
// isn't, or that it isn't known.
func (s settingsFound) version() (tooOld string, known bool) {
	if s["valkey_version"] != "" {
		return "", true
	}
	version := word(s["redis_version"])
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	x, errMajor := strconv.Atoi(major)
	y, errMinor := strconv.Atoi(minor)
	switch {
	case errMajor != nil || errMinor != nil:
		return "", false
	case x < oldestMajor || x == oldestMajor && y < oldestMinor:
		return version, true
	}
	return "", true
}

// word bounds what a server says of itself for a log.
func word(text string) string {
	const longest = 32
	if len(text) > longest || escape(text) != text {
		return "(unreadable)"
	}
	return text
}

// inspectCluster asks every primary of a Cluster. It goes without those that
// don't answer, as the Cluster does, unless none answers.
func inspectCluster(ctx context.Context, cluster *goredis.ClusterClient) ([]settingsFound, error) {
	var mu sync.Mutex
	var all []settingsFound
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error {
		found, err := inspect(ctx, node)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found)
		return nil
	})
	if len(all) > 0 {
		return all, nil
	}
	return nil, err
}

// inspect asks a server what it tells of itself. One that refuses to tell is no
// failure.
func inspect(ctx context.Context, client goredis.Cmdable) (settingsFound, error) {
	found := make(settingsFound)
	info, err := client.Info(ctx).Result()
	if err != nil {
		return found, unlessUntold(err)
	}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			found[name] = value
		}
	}
	config, err := client.ConfigGet(ctx, saved).Result()
	if points, told := config[saved]; told && err == nil {
		found[saved] = points
	}
	return found, unlessUntold(err)
}

// unlessUntold returns an error, unless it is that of a server that doesn't let
// us ask: its CONFIG or INFO is forbidden, or has another name.
func unlessUntold(err error) error {
	code, replied := replyCode(err)
	if replied && (code == "" || code == "NOPERM") && misconfigured(err) == "" {
		return nil
	}
	return err
}
