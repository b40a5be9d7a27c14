// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"slices"

	goredis "github.com/redis/go-redis/v9"
)

// executor sends scripts by their digests (EVALSHA). Where a server says that
// it did nothing, for it doesn't know the script or isn't the primary, they
// are sent once more, as text. No other error leads to a second try: the
// script may have run.
type executor struct {
	client *goredis.Client
}

func (e executor) one(ctx context.Context, c command) (any, error) {
	answer, err := c.script.EvalSha(ctx, e.client, c.keys, c.args...).Result()
	if didNothing(err) {
		answer, err = c.script.Eval(ctx, e.client, c.keys, c.args...).Result()
	}
	return present(answer, err)
}

func (e executor) all(ctx context.Context, cs []command) []result {
	if len(cs) == 1 {
		answer, err := e.one(ctx, cs[0])
		return []result{{answer, err}}
	}
	results := e.pipeline(ctx, cs, false)
	var again []command
	var places []int
	for i, r := range results {
		if didNothing(r.err) {
			again, places = append(again, cs[i]), append(places, i)
		}
	}
	if again != nil {
		for i, r := range e.pipeline(ctx, again, true) {
			results[places[i]] = r
		}
	}
	return results
}

// pipeline sends commands together. asText sends the first use of each script
// as text, from which the server knows the others.
func (e executor) pipeline(ctx context.Context, cs []command, asText bool) []result {
	pipe := e.client.Pipeline()
	replies := make([]*goredis.Cmd, len(cs))
	var known []*goredis.Script
	for i, c := range cs {
		send := c.script.EvalSha
		if asText && !slices.Contains(known, c.script) {
			send = c.script.Eval
			known = append(known, c.script)
		}
		replies[i] = send(ctx, pipe, c.keys, c.args...)
	}
	pipe.Exec(ctx) // each reply has its own error
	results := make([]result, len(cs))
	for i, reply := range replies {
		answer, err := present(reply.Result())
		results[i] = result{answer, err}
	}
	return results
}

// present turns the error that stands for an absent value into one.
func present(answer any, err error) (any, error) {
	if err == goredis.Nil {
		return nil, nil
	}
	return answer, err
}
