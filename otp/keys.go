// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
)

// MinSecretLength is the fewest bytes that a secret may have.
const MinSecretLength = 32

// ErrSealed says that sealed bytes could not be opened: they were made under
// another key, for another use, or were altered.
var ErrSealed = errors.New("can't be opened")

// Keys are the keys of a deployment, all derived from its secrets. The first
// secret signs and seals; every one verifies and opens; the last derives the
// names in the store, so it must stay last while new ones are put in front.
type Keys struct {
	names   *hmacKey
	tags    []*hmacKey
	sealers sync.Map // by use
	secrets [][]byte
}

// NewKeys derives keys from secrets of at least [MinSecretLength] bytes each.
func NewKeys(secrets ...[]byte) (*Keys, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no secret")
	}
	k := &Keys{secrets: secrets}
	for i, secret := range secrets {
		if len(secret) < MinSecretLength {
			return nil, fmt.Errorf("secret %d has %d bytes; at least %d are needed", i+1, len(secret), MinSecretLength)
		}
		k.tags = append(k.tags, newHMACKey(derive(secret, "tag")))
	}
	k.names = newHMACKey(derive(secrets[len(secrets)-1], "name"))
	return k, nil
}

// derive gives each use of a secret a key of its own (RFC 5869).
func derive(secret []byte, use string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "caddy-otp "+use, sha256.Size)
	if err != nil {
		panic(err) // only for more output than HKDF can give
	}
	return key
}

// hmacKey makes MACs under one key. It is safe for concurrent use.
type hmacKey struct {
	// hashes are HMACs at their beginning, which know the key already.
	hashes sync.Pool
}

func newHMACKey(key []byte) *hmacKey {
	return &hmacKey{hashes: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

// mac is 128 bits of HMAC-SHA256 over length-prefixed parts, as base64url.
func (k *hmacKey) mac(parts ...string) string {
	h := k.hashes.Get().(hash.Hash)
	defer k.hashes.Put(h)
	h.Reset()
	scratch := make([]byte, 0, 128)
	for _, part := range parts {
		scratch = binary.BigEndian.AppendUint32(scratch[:0], uint32(len(part)))
		scratch = append(scratch, part...)
		h.Write(scratch)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(scratch[:0])[:16])
}

// name derives what the store knows something by.
func (k *Keys) name(parts ...string) string { return k.names.mac(parts...) }

// tag derives all that is kept of a secret, under the newest key.
func (k *Keys) tag(parts ...string) Tag { return Tag(k.tags[0].mac(parts...)) }

// candidates derives the tags that a presented secret may have been kept as,
// one for each key, the newest first.
func (k *Keys) candidates(parts ...string) []Tag {
	tags := make([]Tag, len(k.tags))
	for i, key := range k.tags {
		tags[i] = Tag(key.mac(parts...))
	}
	return tags
}

// MACKey is a key of 256 bits for HMAC-SHA256, and the id that tells it from
// others, which may be public.
type MACKey struct {
	ID  string
	Key []byte
}

// MACKeys returns the keys of a use, one for each secret: the first signs, all
// verify.
func (k *Keys) MACKeys(use string) []MACKey {
	keys := make([]MACKey, len(k.secrets))
	for i, secret := range k.secrets {
		keys[i] = MACKey{
			ID:  base64.RawURLEncoding.EncodeToString(derive(secret, "sign id "+use)[:macIDLength]),
			Key: derive(secret, "sign "+use),
		}
	}
	return keys
}

const macIDLength = 12

// Sealer seals bytes for one use: AES-256-GCM under a key that is derived for
// that use alone, with a key id, so that older keys still open.
type Sealer struct {
	keys []*sealingKey
}

type sealingKey struct {
	id   [keyIDLength]byte
	aead cipher.AEAD
}

const keyIDLength = 4

// Sealer returns the sealer of a use. Bytes sealed for one use can't be
// opened for another. The uses are few: what is derived for each is kept.
func (k *Keys) Sealer(use string) *Sealer {
	kept, found := k.sealers.Load(use)
	if !found {
		kept, _ = k.sealers.LoadOrStore(use, k.newSealer(use))
	}
	return kept.(*Sealer)
}

func (k *Keys) newSealer(use string) *Sealer {
	s := &Sealer{}
	for _, secret := range k.secrets {
		block, err := aes.NewCipher(derive(secret, "seal "+use))
		if err != nil {
			panic(err) // only for a key of another length
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			panic(err) // only for a cipher of another block size
		}
		key := &sealingKey{aead: aead}
		copy(key.id[:], derive(secret, "seal id "+use))
		s.keys = append(s.keys, key)
	}
	return s
}

// Seal encrypts plain and binds it to context, which must be given again to
// open it.
func (s *Sealer) Seal(plain []byte, context string) []byte {
	return s.keys[0].seal(plain, context)
}

// sealForEach is [Sealer.Seal] under each of the keys.
func (s *Sealer) sealForEach(plain []byte, context string) [][]byte {
	sealed := make([][]byte, len(s.keys))
	for i, key := range s.keys {
		sealed[i] = key.seal(plain, context)
	}
	return sealed
}

func (key *sealingKey) seal(plain []byte, context string) []byte {
	size := keyIDLength + key.aead.NonceSize()
	sealed := make([]byte, size, size+len(plain)+key.aead.Overhead())
	copy(sealed, key.id[:])
	rand.Read(sealed[keyIDLength:])
	return key.aead.Seal(sealed, sealed[keyIDLength:], plain, []byte(context))
}

// Open returns what [Sealer.Seal] was given, or [ErrSealed]. current is false
// where an older key than the first opened it: it should be sealed anew.
func (s *Sealer) Open(sealed []byte, context string) (plain []byte, current bool, err error) {
	plain, key, err := s.open(sealed, context)
	return plain, err == nil && key == 0, err
}

// open is [Sealer.Open] and says which key opened it, the first being 0.
func (s *Sealer) open(sealed []byte, context string) (plain []byte, opened int, err error) {
	for i, key := range s.keys {
		size := keyIDLength + key.aead.NonceSize()
		if len(sealed) < size || [keyIDLength]byte(sealed[:keyIDLength]) != key.id {
			continue
		}
		plain, err := key.aead.Open(nil, sealed[keyIDLength:size], sealed[size:], []byte(context))
		if err == nil {
			return plain, i, nil
		}
	}
	return nil, 0, ErrSealed
}

// SealText is [Sealer.Seal] for cookies and links: unpadded base64url.
func (s *Sealer) SealText(plain []byte, context string) string {
	return base64.RawURLEncoding.EncodeToString(s.Seal(plain, context))
}

// OpenText opens what [Sealer.SealText] returned, or returns [ErrSealed].
func (s *Sealer) OpenText(text, context string) (plain []byte, current bool, err error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // which base64 passes over
		return nil, false, ErrSealed
	}
	return s.Open(sealed, context)
}
