// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// Shards is the number of shards that handles are spread over. It is part of
// every name in a shared store and can never change.
const Shards = 64

// Handle is the only name that a store knows an address by: printable ASCII
// that can't be traced back to the address without the deployment's secret.
// Addresses that reach the same mailbox share a handle. Its first two digits
// are its shard.
type Handle string

// Shard returns the two digits of the handle's shard, 00 to 63.
func (h Handle) Shard() string { return string(h[:2]) }

// Tag is all that is kept of a secret that was sent to somebody: a keyed
// digest of it and of all that it is valid for.
type Tag string

// SessionID names a session. Its first two digits are the shard of the handle
// that opened it; the rest is 256 random bits.
type SessionID string

// Shard returns the two digits of the session's shard, 00 to 63.
func (id SessionID) Shard() string { return string(id[:2]) }

// Valid reports whether id has the form of a session id.
func (id SessionID) Valid() bool {
	return len(id) == 2+43 && isDigits(string(id[:2])) && id[:2] < "64" && isBase64URL(string(id[2:]))
}

func isBase64URL(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// Handle returns the name that the store knows an address of the realm by.
func (s *Service) Handle(a Address) Handle { return s.handle(a) }

func (s *Service) handle(a Address) Handle {
	return Handle(sharded(s.keys.name("handle", s.realm, string(a.channel), a.throttleForm())))
}

// handleFor is the handle of an address for a known browser with a budget of its
// own, or the address's for "". Such a browser has one to itself, in the same shard, and with it
// throttles, challenges and a failure budget beside those that everybody shares:
// nobody who asks for codes or guesses them elsewhere locks it out.
func (s *Service) handleFor(a Address, ownBudget string) Handle {
	public := s.handle(a)
	if ownBudget == "" {
		return public
	}
	return Handle(public.Shard() + s.keys.name("handle", s.realm, string(a.channel), a.throttleForm(), ownBudget))
}

// account names the record of an identity, in the shard of its handle.
func (s *Service) account(h Handle, a Address) string {
	return h.Shard() + s.keys.name("account", s.realm, string(a.channel), a.canonical)
}

// factorAccount names the record of an address as a second factor: proving it
// doesn't make it one that has ever signed in.
func (s *Service) factorAccount(h Handle, a Address) string {
	return h.Shard() + s.keys.name("account", s.realm, string(a.channel), a.canonical, string(MFA))
}

// owner names a person in the store: who has the store can't tell who it is.
func (s *Service) owner(subject string) string { return s.keys.name("owner", s.realm, subject) }

// subject returns the identifier of a person who signs in with an address.
func (s *Service) subject(p Person, a Address) string {
	if p.Subject != "" {
		return p.Subject
	}
	return Subject(s.realm, a)
}

func (s *Service) newSessionID(h Handle) SessionID {
	return SessionID(h.Shard() + randomText(32))
}

// sharded puts a name's shard in front of it.
func sharded(name string) string {
	return ShardOf(name) + name
}

// ShardOf returns the two digits of the shard that a record of this key
// belongs to, 00 to 63.
func ShardOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	shard := sum[0] % Shards
	return string([]byte{'0' + shard/10, '0' + shard%10})
}

// Subject is the stable identifier of a person in a realm. It depends on no
// key, so that it survives every rotation and every move: 22 characters of
// base64url.
func Subject(realm string, a Address) string {
	sum := subjectSum(realm, a)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// SubjectHex is the same identifier in another form: 24 hexadecimal digits,
// as Auth0 has them.
func SubjectHex(realm string, a Address) string {
	sum := subjectSum(realm, a)
	return hex.EncodeToString(sum[:12])
}

func subjectSum(realm string, a Address) [sha256.Size]byte {
	return sha256.Sum256([]byte("caddy-otp subject\x00" + realm + "\x00" + string(a.channel) + "\x00" + a.canonical))
}
