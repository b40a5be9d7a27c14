// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"
)

var (
	goroutineTotal = regexp.MustCompile(`^goroutine profile: total (\d+)`)
	heapAlloc      = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)`)
)

// goroutines is how many a node runs.
func (n *node) goroutines(t *testing.T) int {
	t.Helper()
	return n.profile(t, "goroutine?debug=1", goroutineTotal)
}

// heap is how many bytes a node's heap holds after a garbage collection.
func (n *node) heap(t *testing.T) int {
	t.Helper()
	n.profile(t, "heap?gc=1&debug=1", heapAlloc) // what finalizers free takes another
	return n.profile(t, "heap?gc=1&debug=1", heapAlloc)
}

// profile reads a number of a profile.
func (n *node) profile(t *testing.T, name string, number *regexp.Regexp) int {
	t.Helper()
	response, err := http.Get("http://" + n.Admin() + "/debug/pprof/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := number.FindSubmatch(text)
	if found == nil {
		t.Fatalf("profile %s: %d %.200s", name, response.StatusCode, text)
	}
	value, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// calms waits until something holds that takes its time, such as the end of
// idle connections, and reports whether it does.
func (n *node) calms(t *testing.T, holds func() bool) bool {
	t.Helper()
	keepAlive.CloseIdleConnections()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(100 * time.Millisecond)
	}
	return true
}
