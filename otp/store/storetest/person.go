// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// person is somebody who signs in, by the names that a store knows.
type person struct {
	handle  otp.Handle
	account string
}

// newPerson returns the person of a name, the same each time.
func newPerson(name string) person {
	sum := sha256.Sum256([]byte(name))
	shard := fmt.Sprintf("%02d", sum[0]%otp.Shards)
	return person{
		handle:  otp.Handle(shard + digest("handle", name)),
		account: shard + digest("account", name),
	}
}

// challenge returns a challenge with a code alone.
func (p person) challenge(group, code string) otp.Challenge {
	return otp.Challenge{
		Handle:   p.handle,
		Group:    digest("group", group)[:8],
		Code:     tag(code),
		Lifetime: lifetime,
		Attempts: attempts,
		Keep:     1,
	}
}

// linked returns a challenge with a link alone.
func (p person) linked(group, link string) otp.Challenge {
	c := p.challenge(group, "")
	c.Code, c.Link = "", tag(link)
	return c
}

// guess returns a guess at a code.
func (p person) guess(group, code string) otp.Guess {
	return otp.Guess{
		Handle:  p.handle,
		Group:   digest("group", group)[:8],
		Account: p.account,
		Tags:    []otp.Tag{tag(code)},
	}
}

// open returns a guess at a link.
func (p person) open(group, link string) otp.Guess {
	g := p.guess(group, link)
	g.Link = true
	return g
}

// newSession returns the record of a session that nobody has yet.
func newSession(h otp.Handle) otp.SessionRecord {
	random := make([]byte, 32)
	rand.Read(random)
	return otp.SessionRecord{
		ID:       otp.SessionID(h.Shard() + base64.RawURLEncoding.EncodeToString(random)),
		Sealed:   []byte("sealed\x00\xff\r\n" + string(random)),
		Refresh:  tag("refresh"),
		Lifetime: 24 * time.Hour,
	}
}

// newMessage returns an envelope that nobody has sent yet.
func newMessage(realm string) *otp.Envelope {
	random := make([]byte, 18)
	rand.Read(random)
	return &otp.Envelope{
		ID:       base64.RawURLEncoding.EncodeToString(random),
		Realm:    realm,
		Sealed:   []byte("sealed\x00\xff\r\n" + string(random)),
		Lifetime: lifetime,
		Lease:    30 * time.Second,
	}
}

func tag(secret string) otp.Tag { return otp.Tag(digest("tag", secret)) }

// digest names something as the domain does: 22 characters of base64url.
func digest(use, of string) string {
	sum := sha256.Sum256([]byte(use + "\x00" + of))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func perAddress(events int, window time.Duration) otp.Charge {
	return otp.Charge{Scope: otp.ScopeAddress, Throttle: otp.Throttle{Events: events, Window: window}}
}

func perClient(client string, events int, window time.Duration) otp.Charge {
	return otp.Charge{
		Scope:    otp.ScopeClientIP,
		Bucket:   digest("client_ip", fmt.Sprint(client, window)),
		Throttle: otp.Throttle{Events: events, Window: window},
	}
}
