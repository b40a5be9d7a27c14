// SPDX-License-Identifier: Apache-2.0

package token

import (
	"slices"
	"strings"
	"sync"
)

// sites are the iss of a realm's sites that this process serves.
type sites struct {
	mu   sync.RWMutex
	urls []string
}

func (s *sites) add(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.urls = append(s.urls, url)
}

func (s *sites) have(url string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Contains(s.urls, url)
}

// areMeant reports whether an audience is the URL of one of the sites, with or
// without the slash at its end: the names that people give APIs have none.
func (s *sites) areMeant(audience string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	audience = strings.TrimSuffix(audience, "/")
	return slices.ContainsFunc(s.urls, func(url string) bool { return url[:len(url)-1] == audience })
}
