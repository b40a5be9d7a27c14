// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

// connectionsOfApps is over how many connections app traffic is sent.
const connectionsOfApps = 16

// jobs are the rows of the table, on servers that run until the stage ends.
func jobs(ctx context.Context, s *stage) ([]job, error) {
	app := start(s, serveApp, "")
	// Theirs is on a server of its own, as ours is.
	theirRedis, ourRedis := redisserver.Start(s), redisserver.Start(s)
	reference := start(s, serveReference, theirRedis.URL())
	inCaddy := start(s, serveReferenceInside, theirRedis.URL())
	plain, told := vanilla(s, app.addr), telling(s, app.addr)
	onRedis := guarded(s, app.addr, "store redis "+ourRedis.URL(), toFile)
	// It does the same for who may not sign in, and delivers nothing.
	undelivered := guarded(s, app.addr, "store redis "+ourRedis.URL(), toFile, "allow *@elsewhere.example")
	onBolt := guarded(s, app.addr, "store bolt otp.db", toFile)

	cookie, bearer, err := onRedis.signIn()
	if err != nil {
		return nil, err
	}
	proxied := func(name, headers, against string, other *caddySite, goal float64) job {
		return job{
			name: "app traffic, " + name, against: against, connections: connectionsOfApps, goal: goal,
			ours:   fixed(onRedis.process, "ours", pageOf(onRedis.host, headers)),
			theirs: fixed(other.process, against, pageOf(other.host, headers)),
		}
	}
	byCookie, byBearer := "Cookie: "+cookie+"\r\n", "Authorization: Bearer "+bearer+"\r\n"
	reach := func(name string, c *caddySite, connections int, goal, latencyGoal float64, next func(first, count int64) (target, error)) job {
		return job{
			name: name, against: "ref", connections: connections, goal: goal, latencyGoal: latencyGoal,
			ours:   &side{process: c.process, name: "ours", next: next, sent: takeNumbers()},
			theirs: fixed(reference, "ref", storesOf(reference.addr)),
		}
	}
	// What Caddy itself takes is between the two sides.
	inside := job{
		name: "ref as a handler of Caddy's, 32 connections", against: "ref", connections: 32,
		ours:   fixed(inCaddy, "ref in Caddy", storesOf(inCaddy.addr)),
		theirs: fixed(reference, "ref", storesOf(reference.addr)),
	}
	return []job{
		proxied("anonymous", "", "vanilla", plain, 0.98),
		proxied("signed in by cookie", byCookie, "vanilla", plain, 0.95),
		proxied("signed in by cookie", byCookie, "vanilla with header_up", told, 0),
		proxied("bearer JWT", byBearer, "vanilla", plain, 0.95),
		proxied("bearer JWT", byBearer, "vanilla with header_up", told, 0),
		inside,
		reach("start, 32 connections", onRedis, 32, 0.90, 1.2, startsAt(onRedis)),
		reach("start that delivers nothing, 32 connections", undelivered, 32, 0.90, 1.2, startsAt(undelivered)),
		reach("verify, 32 connections", onRedis, 32, 0.90, 1.2, signInsAt(ctx, onRedis, 32)),
		reach("verify by API (RS256), 32 connections", onRedis, 32, 0.90, 1.2, verifiesAt(ctx, onRedis, 32)),
		reach("start, 4 connections", onRedis, 4, 0.85, 0, startsAt(onRedis)),
		reach("verify, 4 connections", onRedis, 4, 0.85, 0, signInsAt(ctx, onRedis, 4)),
		reach("start on bolt, 32 connections", onBolt, 32, 0.5, 0, startsAt(onBolt)),
		reach("verify on bolt, 32 connections", onBolt, 32, 0.5, 0, signInsAt(ctx, onBolt, 32)),
	}, nil
}

// numbersOfJob are more than a job's requests.
const numbersOfJob = int64(time.Hour / time.Microsecond)

var numbersTaken int64

// takeNumbers returns the first number of a job's requests: no address is
// used by two jobs.
func takeNumbers() int64 {
	numbersTaken += numbersOfJob
	return numbersTaken
}
