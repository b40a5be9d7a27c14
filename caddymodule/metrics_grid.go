// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// other is the value of a label for whatever isn't among those that there are.
const other = "other"

// grid is the counters of a vector for the values that its labels can have. A
// counter is looked up by its labels once: to count is an atomic add.
type grid struct {
	vector *prometheus.CounterVec
	// first is the value of the first label.
	first string
	// axes are the values that each of the further labels can have.
	axes  [][]string
	cells []atomic.Pointer[prometheus.Counter]
}

func newGrid(vector *prometheus.CounterVec, first string, axes ...[]string) *grid {
	size := 1
	for _, axis := range axes {
		size *= len(axis)
	}
	return &grid{vector: vector, first: first, axes: axes, cells: make([]atomic.Pointer[prometheus.Counter], size)}
}

// counter returns the counter at a place on each axis.
func (g *grid) counter(at ...int) prometheus.Counter {
	i := 0
	for axis, place := range at {
		i = i*len(g.axes[axis]) + place
	}
	if found := g.cells[i].Load(); found != nil {
		return *found
	}
	labels := []string{g.first}
	for axis, place := range at {
		labels = append(labels, g.axes[axis][place])
	}
	resolved := g.vector.WithLabelValues(labels...)
	g.cells[i].Store(&resolved)
	return resolved
}

// placeOn returns where a value is on an axis that ends with what stands for all
// others.
func placeOn(axis []string, value string) int {
	if i := slices.Index(axis, value); i >= 0 {
		return i
	}
	return len(axis) - 1
}
