// SPDX-License-Identifier: Apache-2.0

package token

import (
	"encoding/binary"
	"errors"
	"strings"
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
	opened lately[*openedSession]
}

type openedSession struct {
	session otp.Session
	seen    time.Time
	current bool
}

// NewSealed returns the sealer of a realm's sessions for one use, such as
// "cookie"; what is sealed for one use doesn't open for another.
func NewSealed(keys *otp.Keys, realm, use string) *Sealed {
	return &Sealed{sealer: keys.Sealer("session " + use), realm: realm}
}

// sealedVersion is the first byte of a sealed session's plain form.
const sealedVersion = 5

// Seal returns the session and when it was last seen as base64url text.
func (s *Sealed) Seal(x otp.Session, seen time.Time) string {
	b := make([]byte, 0, 256)
	b = append(b, sealedVersion)
	for _, t := range [...]time.Time{x.Created, x.Expires, x.Since, seen} {
		b = binary.AppendVarint(b, t.UnixMilli())
	}
	b = appendOptionalTime(b, x.MFA)
	for _, flag := range [...]bool{x.Temporary, x.Enrolled, x.Pending} {
		b = appendFlag(b, flag)
	}
	for _, text := range [...]string{
		string(x.ID), x.Owner, x.Subject, string(x.Address.Channel()), x.Address.String(),
		string(x.Method), x.Dialect, x.Client, x.Tenant, x.Scope, x.MFAMethod, x.Directory,
	} {
		b = appendText(b, text)
	}
	return s.sealer.SealText(appendPerson(b, x.Person), s.realm)
}

// maxPerson bounds what a sealed session carries of its person, in bytes:
// browsers keep cookies of 4096. Of a person with more it carries nothing; they
// are in no group while the directory can't be asked.
const maxPerson = 1 << 10

// appendPerson appends what is needed of a person while the directory can't be
// asked.
func appendPerson(b []byte, p otp.Person) []byte {
	b = appendFlag(b, p.MFA)
	begin := len(b)
	b = binary.AppendUvarint(b, uint64(len(p.Groups)))
	for _, group := range p.Groups {
		b = appendText(b, group)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Addresses)))
	for _, a := range p.Addresses {
		b = appendText(appendText(b, string(a.Channel())), a.String())
	}
	if len(b)-begin > maxPerson {
		return append(b[:begin], 0, 0)
	}
	return b
}

// appendOptionalTime appends Unix milliseconds, or 0 for the zero time.
func appendOptionalTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(b, 0)
	}
	return binary.AppendVarint(b, t.UnixMilli())
}

func appendFlag(b []byte, flag bool) []byte {
	if flag {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// Open returns what was sealed, or [ErrInvalid]. It doesn't judge the times.
// current is false where the newest secret didn't seal it.
func (s *Sealed) Open(text string) (x otp.Session, seen time.Time, current bool, err error) {
	shared, seen, current, err := s.OpenShared(text)
	if err != nil {
		return x, seen, current, err
	}
	return *shared, seen, current, nil
}

// OpenShared is [Sealed.Open] without a copy: others may have the same session,
// and nobody changes it.
func (s *Sealed) OpenShared(text string) (x *otp.Session, seen time.Time, current bool, err error) {
	o, known := s.opened.get(text)
	if !known {
		o = new(openedSession)
		if o.session, o.seen, o.current, err = s.open(text); err != nil {
			return nil, time.Time{}, false, err
		}
		s.opened.put(strings.Clone(text), o)
	}
	return &o.session, o.seen, o.current, nil
}

// open is Open for texts that don't come again.
func (s *Sealed) open(text string) (x otp.Session, seen time.Time, current bool, err error) {
	b, current, err := s.sealer.OpenText(text, s.realm)
	if err != nil || len(b) == 0 || b[0] != sealedVersion {
		return x, seen, false, ErrInvalid
	}
	r := sealedReader{rest: b[1:]}
	x.Created, x.Expires, x.Since, seen = r.time(), r.time(), r.time(), r.time()
	x.MFA = r.optionalTime()
	x.Temporary, x.Enrolled, x.Pending = r.flag(), r.flag(), r.flag()
	x.ID = otp.SessionID(r.text())
	x.Owner, x.Subject = r.text(), r.text()
	channel := otp.Channel(r.text())
	x.Address = otp.RestoreAddress(channel, r.text())
	x.Method = otp.Method(r.text())
	x.Dialect, x.Client, x.Tenant, x.Scope = r.text(), r.text(), r.text(), r.text()
	x.MFAMethod, x.Directory = r.text(), r.text()
	x.Person = r.person()
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

func (r *sealedReader) optionalTime() time.Time {
	t := r.time()
	if t.UnixMilli() == 0 {
		return time.Time{}
	}
	return t
}

// count reads how many of something follow, each of at least one byte.
func (r *sealedReader) count() int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) {
		r.broken = true
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

func (r *sealedReader) flag() bool {
	if len(r.rest) == 0 {
		r.broken = true
		return false
	}
	flag := r.rest[0] == 1
	r.rest = r.rest[1:]
	return flag
}

func (r *sealedReader) person() (p otp.Person) {
	p.MFA = r.flag()
	for range r.count() {
		p.Groups = append(p.Groups, r.text())
	}
	for range r.count() {
		channel := otp.Channel(r.text())
		p.Addresses = append(p.Addresses, otp.RestoreAddress(channel, r.text()))
	}
	return p
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
