// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"errors"
	"fmt"

	"github.com/caddy-otp/caddy-otp/otp"
)

// maxPeople bounds a list, and with it the memory that one takes.
const maxPeople = 1_000_000

// list is everybody in a file.
type list struct {
	people []otp.Person
	// byAddress has the canonical form of every address. An e-mail address
	// has an @ and a number has none, so they need no channel.
	byAddress map[string]int
}

func (l *list) find(a otp.Address) (otp.Person, bool) {
	i, ok := l.byAddress[a.String()]
	if !ok {
		return otp.Person{}, false
	}
	return l.people[i], true
}

// listBuilder makes a list of entries.
type listBuilder struct {
	list      list
	lines     []int
	bySubject map[string]int
}

func newListBuilder() *listBuilder {
	return &listBuilder{list: list{byAddress: make(map[string]int)}, bySubject: make(map[string]int)}
}

// add adds a person. what names an entry in an error: a row, an object.
func (b *listBuilder) add(e *entry, what string) error {
	p, err := e.person()
	if err != nil {
		return err
	}
	i := len(b.list.people)
	if len(p.Addresses) == 0 {
		return e.start.at("", fmt.Errorf("this %s has no address; give it an email or a phone, or remove it", what))
	}
	if i == maxPeople {
		return e.start.at("", fmt.Errorf("a list has at most %d people; ask a service instead, with `directory http`", maxPeople))
	}
	for _, a := range p.Addresses {
		if other, taken := b.list.byAddress[a.String()]; taken {
			return e.at[keyOfChannel(a.Channel())].at(keyOfChannel(a.Channel()).String(), b.twice("address", i, other))
		}
		b.list.byAddress[a.String()] = i
	}
	if p.Subject != "" {
		if other, taken := b.bySubject[p.Subject]; taken {
			return e.at[keySubject].at(keySubject.String(), b.twice("subject", i, other))
		}
		b.bySubject[p.Subject] = i
	}
	b.list.people = append(b.list.people, p)
	b.lines = append(b.lines, e.start.line)
	return nil
}

func keyOfChannel(c otp.Channel) key {
	if c == otp.SMS {
		return keyPhone
	}
	return keyEmail
}

func (b *listBuilder) twice(what string, i, other int) error {
	if i == other {
		return errors.New("an address stands twice here; remove one")
	}
	return fmt.Errorf("the same %s is on line %d; a person stands once in a list, with all of their addresses", what, b.lines[other])
}
