// SPDX-License-Identifier: Apache-2.0

package web

import (
	"slices"
	"strings"
)

// pathSet is a set of paths, by their length: every request of the app is held
// against it.
type pathSet struct {
	byLength [][]string
}

func (p *pathSet) add(path string) {
	for len(p.byLength) <= len(path) {
		p.byLength = append(p.byLength, nil)
	}
	if !p.has(path) {
		p.byLength[len(path)] = append(p.byLength[len(path)], path)
	}
}

// ofLength returns the paths that are as long as one.
func (p *pathSet) ofLength(path string) []string {
	if len(path) >= len(p.byLength) {
		return nil
	}
	return p.byLength[len(path)]
}

func (p *pathSet) has(path string) bool { return slices.Contains(p.ofLength(path), path) }

// folds reports whether a path is one of them in upper or lower case.
func (p *pathSet) folds(path string) bool {
	for _, known := range p.ofLength(path) {
		if strings.EqualFold(known, path) {
			return true
		}
	}
	return false
}
