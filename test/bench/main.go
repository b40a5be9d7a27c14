// SPDX-License-Identifier: Apache-2.0

// Command bench measures what the module costs, as ratios: each job is run by
// ours and by another in turns, and each turn is compared with its neighbour.
// It builds Caddy and starts all that it needs on free ports of this machine;
// nothing else should run there meanwhile.
//
//	go run ./test/bench           the table, in about a quarter of an hour
//	go run ./test/bench -quick    in under a minute, for a first look
//	go run ./test/bench -only verify
//	go run ./test/bench -growth   the stores at several sizes and numbers of callers
//	go run ./test/bench -calm     app traffic while other things happen beside it
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
)

func main() {
	var (
		quick  = flag.Bool("quick", false, "fewer and shorter rounds: under a minute")
		rounds = flag.Int("rounds", 10, "how many `rounds` each job has")
		slice  = flag.Duration("slice", 2*time.Second, "how long each side's turn takes in each round")
		only   = flag.String("only", "", "run the jobs whose names hold this `text`, or of -growth the part of this name: size, days, callers")
		dir    = flag.String("profile", "", "write a profile of each job's own side into this `folder` instead")
		beside = flag.Bool("calm", false, "measure app traffic while other things happen beside it instead")
		sizes  = flag.Bool("growth", false, "measure the stores at several sizes and numbers of callers instead")
		draw   = flag.String("plots", "", "draw what -growth measures into this `folder`")
		what   = flag.String("serve", "", "run as one of the servers that ours is held against (used by the program itself)")
		addr   = flag.String("addr", "", "where that listens")
		redis  = flag.String("redis", "", "the URL of its Redis")
	)
	flag.Parse()
	if *what != "" {
		exit(serve(*what, *addr, *redis))
	}
	if *quick {
		*rounds, *slice = 3, 300*time.Millisecond
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := onStage(ctx, func(s *stage) error {
		switch {
		case *beside:
			return calm(ctx, s, *rounds, *slice)
		case *sizes:
			return grow(ctx, s, *only, *quick, *draw)
		}
		return table(ctx, s, *only, *dir, *rounds, *slice)
	})
	stop()
	caddyserver.Cleanup()
	exit(err)
}

// exit ends the program.
func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// grow measures the stores, and draws what it measured into a folder if that
// is given. A part of it can be had by its name.
func grow(ctx context.Context, s *stage, only string, quick bool, dir string) error {
	largest, operations := sizesOfStores[len(sizesOfStores)-1], int64(10_000) // enough for a p99
	if quick {
		largest, operations = sizesOfStores[0], 1000
	}
	var p plots
	for _, part := range []struct {
		name string
		run  func() error
	}{
		{"size", func() error { return growth(ctx, s, largest, operations, &p) }},
		{"days", func() error { return days(ctx, s, largest/40, operations, &p) }},
		{"callers", func() error { return scaling(ctx, s, operations, &p) }},
	} {
		if !strings.Contains(part.name, only) {
			continue
		}
		if err := part.run(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		fmt.Println() // a table ends
	}
	if dir == "" {
		return nil
	}
	return p.write(dir)
}

// table prints the row of each job.
func table(ctx context.Context, s *stage, only, profiles string, rounds int, slice time.Duration) error {
	all, err := jobs(ctx, s)
	if err != nil {
		return err
	}
	if profiles != "" {
		for _, j := range all {
			if strings.Contains(j.name, only) {
				if err := j.profile(ctx, j.ours.admin, profiles, 2*slice); err != nil {
					return fmt.Errorf("%s: %w", j.name, err)
				}
			}
		}
		return nil
	}
	fmt.Printf("%s; %d rounds of %s for each side\n\n%s", setting(s), rounds, slice, tableHead)
	for _, j := range all {
		if !strings.Contains(j.name, only) {
			continue
		}
		c, err := j.run(ctx, rounds, slice)
		if err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
		fmt.Print(c.row())
	}
	return nil
}
