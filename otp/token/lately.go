// SPDX-License-Identifier: Apache-2.0

package token

import "sync"

// maxLately is how many values are remembered.
const maxLately = 4096

// lately remembers what texts were found to mean, of a bounded number of those
// that came of late. Only texts of our own making get there, so nobody can fill
// it with others; whether what they mean still holds is judged each time. It is
// safe for concurrent use, and what it holds is shared: nobody changes it.
type lately[T any] struct {
	mu sync.RWMutex
	// One generation is forgotten when the other is full, so that who comes
	// often stays.
	young, old map[string]T
}

func (l *lately[T]) get(text string) (meaning T, known bool) {
	l.mu.RLock()
	meaning, isYoung := l.young[text]
	isOld := false
	if !isYoung {
		meaning, isOld = l.old[text]
	}
	l.mu.RUnlock()
	if isOld {
		l.put(text, meaning)
	}
	return meaning, isYoung || isOld
}

func (l *lately[T]) put(text string, meaning T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.young == nil || len(l.young) >= maxLately/2 {
		l.young, l.old = make(map[string]T), l.young
	}
	l.young[text] = meaning
}
