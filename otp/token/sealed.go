// SPDX-License-Identifier: Apache-2.0

package token

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// ErrInvalid says that a value isn't a token of this realm: it is altered,
// foreign, or sealed under a secret that is gone.
var ErrInvalid = errors.New("not a token of this site")

// Sealed is a sealed session: AES-256-GCM, with no personal data readable
// (NIST SP 800-63B-4 §5.1.1), opened without asking the store.
type Sealed struct {
	sealer *otp.Sealer
	realm  string
}

// NewSealed returns the sealer of a realm's sessions for one use, such as
// "cookie"; what is sealed for one use doesn't open for another.
func NewSealed(keys *otp.Keys, realm, use string) *Sealed {
	return &Sealed{sealer: keys.Sealer("session " + use), realm: realm}
}

// sealedVersion is the first byte of a sealed session's plain form.
const sealedVersion = 1

// Seal returns the session and when it was last seen as base64url text.
func (s *Sealed) Seal(x otp.Session, seen time.Time) string {
	b := make([]byte, 0, 256)
	b = append(b, sealedVersion)
	for _, t := range []time.Time{x.Created, x.Expires, x.Since, seen} {
		b = binary.AppendVarint(b, t.UnixMilli())
	}
	for _, text := range []string{
		string(x.ID), x.Subject, string(x.Address.Channel()), x.Address.String(),
		string(x.Method), x.Dialect, x.Client, x.Tenant, x.Scope,
	} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return s.sealer.SealText(b, s.realm)
}

// Open returns what was sealed, or [ErrInvalid]. It doesn't judge the times.
// current is false where the newest secret didn't seal it.
func (s *Sealed) Open(text string) (x otp.Session, seen time.Time, current bool, err error) {
	b, current, err := s.sealer.OpenText(text, s.realm)
	if err != nil || len(b) == 0 || b[0] != sealedVersion {
		return x, seen, false, ErrInvalid
	}
	r := sealedReader{rest: b[1:]}
	x.Created, x.Expires, x.Since, seen = r.time(), r.time(), r.time(), r.time()
	x.ID = otp.SessionID(r.text())
	x.Subject = r.text()
	channel := otp.Channel(r.text())
	x.Address = otp.RestoreAddress(channel, r.text())
	x.Method = otp.Method(r.text())
	x.Dialect, x.Client, x.Tenant, x.Scope = r.text(), r.text(), r.text(), r.text()
	if r.broken || len(r.rest) > 0 {
		return otp.Session{}, time.Time{}, false, ErrInvalid
	}
	return x, seen, current, nil
}

type sealedReader struct {
	rest   []byte
	broken bool
}

func (r *sealedReader) time() time.Time {
	ms, n := binary.Varint(r.rest)
	if n <= 0 {
		r.broken = true
		return time.Time{}
	}
	r.rest = r.rest[n:]
	return time.UnixMilli(ms)
}

func (r *sealedReader) text() string {
	length, n := binary.Uvarint(r.rest)
	if n <= 0 || length > uint64(len(r.rest)-n) {
		r.broken = true
		return ""
	}
	text := string(r.rest[n : n+int(length)])
	r.rest = r.rest[n+int(length):]
	return text
}
