// SPDX-License-Identifier: Apache-2.0

package token

import (
	"slices"
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
