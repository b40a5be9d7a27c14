// SPDX-License-Identifier: Apache-2.0

package directory

import (
	linked "container/list"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// answer is what a service said of an address.
type answer struct {
	person otp.Person
	found  bool
	at     time.Time // when it was asked

	// failures are those of asking anew since, and retry is when to do so
	// next.
	failures int
	retry    time.Time
}

func (a *answer) result() (otp.Person, error) {
	if !a.found {
		return otp.Person{}, otp.ErrNobody
	}
	return a.person, nil
}

// Bounds of what is kept. Known people have a place of their own, so that
// nobody can drive them out by asking for made up addresses.
const (
	maxKnown   = 100_000
	maxNobody  = 20_000
	knownOrder = 0
	otherOrder = 1
)

// answers keeps the answers that were used last. It isn't safe for concurrent
// use.
type answers struct {
	entries map[string]*linked.Element
	orders  [2]linked.List // the last used in front: of the found, of the others
	most    [2]int
}

type answerEntry struct {
	address string
	answer  *answer
}

func newAnswers() *answers {
	return &answers{entries: make(map[string]*linked.Element), most: [2]int{knownOrder: maxKnown, otherOrder: maxNobody}}
}

func orderOf(a *answer) int {
	if a.found {
		return knownOrder
	}
	return otherOrder
}

// get returns the answer on an address and counts as a use of it, or nil.
func (c *answers) get(address string) *answer {
	element, ok := c.entries[address]
	if !ok {
		return nil
	}
	entry := element.Value.(answerEntry)
	c.orders[orderOf(entry.answer)].MoveToFront(element)
	return entry.answer
}

// put replaces the answer on an address; the least recently used makes room.
func (c *answers) put(address string, a *answer) {
	c.remove(address)
	order := orderOf(a)
	c.entries[address] = c.orders[order].PushFront(answerEntry{address, a})
	if c.orders[order].Len() > c.most[order] {
		c.remove(c.orders[order].Back().Value.(answerEntry).address)
	}
}

func (c *answers) remove(address string) {
	if element, ok := c.entries[address]; ok {
		delete(c.entries, address)
		c.orders[orderOf(element.Value.(answerEntry).answer)].Remove(element)
	}
}
