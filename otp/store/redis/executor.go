// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// executor sends scripts by their digests (EVALSHA). Where a server says that
// it did nothing, for it doesn't know the script or isn't the primary, or there
// was no connection to send them on, they are sent once more, as text. No other
// error leads to a second try: the script may have run.
type executor struct {
	client *goredis.Client
	lines  *lines
}

func (e executor) one(ctx context.Context, c command) (any, error) {
	began := e.lines.now()
	answer, err := c.script.EvalSha(ctx, e.client, c.keys, c.args...).Result()
	if didNothing(err) {
		e.prepare(ctx, began, err)
		answer, err = c.script.Eval(ctx, e.client, c.keys, c.args...).Result()
	}
	return present(answer, err)
}

func (e executor) all(ctx context.Context, cs []command) []result {
	if len(cs) == 1 {
		answer, err := e.one(ctx, cs[0])
		return []result{{answer, err}}
	}
	began := e.lines.now()
	results := e.pipeline(ctx, cs, false)
	var again []command
	var places []int
	var reasons []error
	for i, r := range results {
		if didNothing(r.err) {
			again, places, reasons = append(again, cs[i]), append(places, i), append(reasons, r.err)
		}
	}
	if again != nil {
		e.prepare(ctx, began, reasons...)
		for i, r := range e.pipeline(ctx, again, true) {
			results[places[i]] = r
		}
	}
	return results
}

// prepare makes a second try worth it, where the first, which began at a time,
// failed for these reasons: it may need another server, or a moment.
func (e executor) prepare(ctx context.Context, began int64, reasons ...error) {
	wait := false
	for _, err := range reasons {
		code, _ := replyCode(err)
		if code == "READONLY" {
			e.lines.drop(began)
		}
		wait = wait || slices.Contains(passes, code)
	}
	if deadline, ok := ctx.Deadline(); wait && ok {
		select {
		case <-time.After(time.Until(deadline) / 8):
		case <-ctx.Done():
		}
	}
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
