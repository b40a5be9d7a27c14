// SPDX-License-Identifier: Apache-2.0

// Package faults breaks the store while people log in, with real processes:
// Redis by itself, with Sentinel and as a Cluster, several Caddys, and a proxy
// that hurts what goes through it. What the people and the sink of messages
// saw is written into a ledger, and nothing may be lost or doubled.
//
//	go test ./test/faults
//
// takes about a minute: it is strict about what is lost and doubled, and
// generous about time, since the machine may be busy. The long form
//
//	go test -v ./test/faults -faults.long -timeout 60m
//
// breaks things for longer, under more load, and holds the product to the
// figures that it promises; it needs a machine to itself. With -v both print a
// line for each scenario.
package faults
