// SPDX-License-Identifier: Apache-2.0

package token

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-otp/caddy-otp/otp"
)

// ErrExpired says that a token is one of this realm, and too old.
var ErrExpired = errors.New("token has expired")

// errPending is the defect of a caller that would have half a login open things.
var errPending = errors.New("the session waits for its second factor: it gets no access token")

// MaxLength is the longest token that is looked at, in bytes.
const MaxLength = 8 << 10

// Type is what a JWT is for (RFC 8725 §3.11): one of a type is never taken
// for another.
type Type string

// The types, as they stand in the typ header.
const (
	Access  Type = "at+jwt" // RFC 9068
	ID      Type = "JWT"    // OpenID Connect
	Renewal Type = "rt+jwt"

	// Assertion tells the app behind us who makes a request.
	Assertion Type = "assertion+jwt"
)

// Issuer signs and verifies the JWTs of a site: RS256, with its realm's own
// key.
type Issuer struct {
	url     string
	service *otp.Service
	keys    *keySet
	sites   *sites
	apis    []string
	sealed  *Sealed
	// renewals are the keys of refresh tokens.
	renewals []otp.MACKey
	// verified are access tokens whose signature, issuer and seal were found
	// good, which cost more to look at than all the rest of a request. The
	// realm's key is the same for as long as an issuer lives.
	verified lately[*accessToken]
	now      func() time.Time
}

// NewIssuer returns the issuer of a service's realm. Its iss is the site's
// public URL with a slash at its end, as Auth0's clients expect it. apis are the
// audiences of APIs that stand behind the site: the access tokens that are for
// one of them open it as those do that are for the site itself.
func NewIssuer(s *otp.Service, apis ...string) *Issuer {
	return issuerOf(s, newKeySet(s), new(sites), apis)
}

// Beside returns the issuer of another site of the same realm, with the same
// key and APIs of its own: the access tokens for the one site open the other,
// and those of all sites that are beside either. One for an API opens only the
// sites that have it.
func (i *Issuer) Beside(s *otp.Service, apis ...string) *Issuer {
	return issuerOf(s, i.keys, i.sites, apis)
}

func issuerOf(s *otp.Service, keys *keySet, realm *sites, apis []string) *Issuer {
	i := &Issuer{
		url:      s.PublicURL().String() + "/",
		service:  s,
		keys:     keys,
		sites:    realm,
		apis:     apis,
		sealed:   NewSealed(s.Keys(), s.Realm(), "bearer"),
		renewals: s.Keys().MACKeys("refresh " + s.Realm()),
		now:      time.Now,
	}
	realm.add(i.url)
	return i
}

// URL returns the iss of every token that the issuer signs.
func (i *Issuer) URL() string { return i.url }

// Now returns the issuer's time.
func (i *Issuer) Now() time.Time { return i.now() }

// Prepare makes sure that tokens can be signed, with the errors of
// [Issuer.JWKS]. It is called before a code is used up, which would be lost if
// the key then couldn't be loaded. Mostly it has nothing to do.
func (i *Issuer) Prepare(ctx context.Context) error {
	_, err := i.keys.current(ctx)
	return err
}

// JWKS returns the public keys (RFC 7517). The error is the store's.
func (i *Issuer) JWKS(ctx context.Context) (jose.JSONWebKeySet, error) {
	key, err := i.keys.current(ctx)
	if err != nil {
		return jose.JSONWebKeySet{}, err
	}
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.public}}, nil
}

// sessionClaim carries the session itself, sealed: whatever claims a dialect
// documents, this one says who the bearer is.
const sessionClaim = "otp"

// SignAccess returns an access token for a session with a dialect's claims.
// Unless the claims say otherwise its audience is the issuer; iss, iat, exp
// and the sealed session are set here. The token never outlives the session.
// There is none for a session that is pending, but by [Issuer.SignPending].
func (i *Issuer) SignAccess(ctx context.Context, x otp.Session, lifetime time.Duration, claims map[string]any) (string, error) {
	if x.Pending {
		return "", errPending
	}
	return i.SignPending(ctx, x, lifetime, claims)
}

// SignPending is [Issuer.SignAccess] for an API whose clients prove the second
// factor of a pending session by its token. Only [Issuer.AuthenticateOrPending]
// takes that for one.
func (i *Issuer) SignPending(ctx context.Context, x otp.Session, lifetime time.Duration, claims map[string]any) (string, error) {
	now := i.now()
	expires := now.Add(lifetime)
	if x.Expires.Before(expires) {
		expires = x.Expires
	}
	all := maps.Clone(claims)
	if all == nil {
		all = make(map[string]any)
	}
	if _, ok := all["aud"]; !ok {
		all["aud"] = i.url
	}
	all["exp"] = expires.Unix()
	all[sessionClaim] = i.sealed.Seal(x, now)
	return i.signAt(ctx, Access, all, now)
}

// Sign returns a JWT with the claims; iss and iat are set here. exp must be
// among them, in seconds.
func (i *Issuer) Sign(ctx context.Context, typ Type, claims map[string]any) (string, error) {
	return i.signAt(ctx, typ, claims, i.now())
}

// signAt is [Issuer.Sign] at the time that the claims are of: the key may take a
// while to come, and a token be as short.
func (i *Issuer) signAt(ctx context.Context, typ Type, claims map[string]any, now time.Time) (string, error) {
	key, err := i.keys.current(ctx)
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", key.id)
	return i.signWith(jose.SigningKey{Algorithm: jose.RS256, Key: key.private}, options, claims, now)
}

// SignBySecret returns a JWT as [Issuer.Sign] does, signed with HS256 by a
// secret that its reader has too: it proves nothing to anybody else, and
// [Issuer.Parse] takes none of these, but [Issuer.ParseBySecret].
func (i *Issuer) SignBySecret(secret []byte, typ Type, claims map[string]any) (string, error) {
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	return i.signWith(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, options, claims, i.now())
}

func (i *Issuer) signWith(key jose.SigningKey, options *jose.SignerOptions, claims map[string]any, now time.Time) (string, error) {
	all := maps.Clone(claims)
	all["iss"] = i.url
	all["iat"] = now.Unix()
	payload, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(key, options)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// Authenticate returns the session that an access token proves. It returns
// [ErrInvalid] for anything that isn't an access token of this realm, and for
// this site or another of the realm's or one of this site's APIs, [ErrExpired] for one that is too old, [otp.ErrNoSession] where the session
// has ended before, [otp.ErrPending] where its second factor is yet to be
// proved, or an error of the store.
func (i *Issuer) Authenticate(ctx context.Context, raw string) (otp.Session, error) {
	x, err := i.Check(ctx, raw)
	if err != nil {
		return otp.Session{}, err
	}
	return *x, nil
}

// Check is [Issuer.Authenticate] without a copy: others may have the same
// session, and nobody changes it.
func (i *Issuer) Check(ctx context.Context, raw string) (*otp.Session, error) {
	x, err := i.parseFor(ctx, raw, i.serves)
	if err != nil {
		return nil, err
	}
	return i.service.Check(ctx, x)
}

// AuthenticateOrPending is [Issuer.Authenticate] for what a session may be used
// for before its second factor is proved.
func (i *Issuer) AuthenticateOrPending(ctx context.Context, raw string) (otp.Session, error) {
	x, err := i.parseFor(ctx, raw, i.serves)
	if err != nil {
		return otp.Session{}, err
	}
	return i.service.CurrentOrPending(ctx, *x)
}

// Issued reports whether a bearer token is an access token of this realm,
// whether or not it still holds and whomever it is for.
func (i *Issuer) Issued(ctx context.Context, raw string) bool {
	if raw == "" {
		return false
	}
	_, err := i.ParseAccess(ctx, raw)
	return err == nil || errors.Is(err, ErrExpired)
}

// Names reports whether a token says that one of this realm's keys signed it.
// It is for keeping what may be ours to ourselves: nothing is verified.
func (i *Issuer) Names(raw string) bool {
	encoded, _, found := strings.Cut(raw, ".")
	if !found || len(raw) > MaxLength {
		return false
	}
	header, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	if key := i.keys.key.Load(); key != nil && bytes.Contains(header, []byte(key.id)) {
		return true
	}
	return slices.ContainsFunc(i.renewals, func(key otp.MACKey) bool { return bytes.Contains(header, []byte(key.ID)) })
}

// ParseAccess returns the session of an access token. It returns
// [ErrInvalid] for anything that isn't an access token of this realm,
// [ErrExpired] for one that is too old, together with its session, or the
// store's error. It doesn't know of revocations, and takes a token whomever it
// is for: that tells whose token it is, and what to revoke, and opens nothing.
func (i *Issuer) ParseAccess(ctx context.Context, raw string) (otp.Session, error) {
	t, err := i.parseAccess(ctx, raw)
	if t == nil {
		return otp.Session{}, err
	}
	return t.session, err
}

// accessToken is what a verified access token says.
type accessToken struct {
	session otp.Session
	// audience is the aud claim, a text or a list of them.
	audience any
	expires  time.Time
}

// parseAccess is ParseAccess, and tells more of the token; nothing of one that
// is invalid. What it returns is shared.
func (i *Issuer) parseAccess(ctx context.Context, raw string) (*accessToken, error) {
	if t, known := i.verified.get(raw); known {
		return t, i.expired(t.expires)
	}
	claims, err := i.Parse(ctx, Access, raw)
	if err != nil && !errors.Is(err, ErrExpired) {
		return nil, err
	}
	text, _ := claims[sessionClaim].(string)
	x, _, _, openErr := i.sealed.open(text)
	if openErr != nil {
		return nil, openErr
	}
	t := &accessToken{session: x, audience: claims["aud"], expires: expiryOf(claims)}
	if err == nil {
		i.verified.put(strings.Clone(raw), t)
	}
	return t, err
}

// expired is [ErrExpired] from a time on.
func (i *Issuer) expired(expires time.Time) error {
	if !i.now().Before(expires) {
		return ErrExpired
	}
	return nil
}

// Parse verifies a JWT of a type and returns its claims, with the errors of
// [Issuer.ParseAccess]. Only RS256 under the realm's own key is taken; the
// token's other headers are not looked at (RFC 8725 §3.1). An access token may
// be of another site of the realm, all others are this site's own.
func (i *Issuer) Parse(ctx context.Context, typ Type, raw string) (map[string]any, error) {
	signed, err := parseCompact(raw, jose.RS256)
	if err != nil {
		return nil, err
	}
	key, err := i.keys.current(ctx)
	if err != nil {
		return nil, err
	}
	header := signed.Signatures[0].Protected
	if header.KeyID != key.id || header.ExtraHeaders[jose.HeaderType] != string(typ) {
		return nil, ErrInvalid
	}
	payload, err := signed.Verify(&key.private.PublicKey)
	if err != nil {
		return nil, ErrInvalid
	}
	return i.claimsOf(typ, payload)
}

// ParseBySecret is [Issuer.Parse] for a JWT of [Issuer.SignBySecret], which is
// of this site.
func (i *Issuer) ParseBySecret(secret []byte, typ Type, raw string) (map[string]any, error) {
	signed, err := parseCompact(raw, jose.HS256)
	if err != nil {
		return nil, err
	}
	if typ == Access || len(secret) == 0 || signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType] != string(typ) {
		return nil, ErrInvalid
	}
	payload, err := signed.Verify(secret)
	if err != nil {
		return nil, ErrInvalid
	}
	return i.claimsOf(typ, payload)
}

// parseCompact reads a JWT that is signed with an algorithm, and doesn't verify
// it.
func parseCompact(raw string, algorithm jose.SignatureAlgorithm) (*jose.JSONWebSignature, error) {
	if len(raw) > MaxLength || strings.Count(raw, ".") != 2 || strings.ContainsAny(raw, " \t\r\n") {
		return nil, ErrInvalid
	}
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		return nil, ErrInvalid
	}
	return signed, nil
}

// claimsOf reads what was verified, and judges who issued it and until when it
// holds.
func (i *Issuer) claimsOf(typ Type, payload []byte) (map[string]any, error) {
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, ErrInvalid
	}
	issuer, _ := claims["iss"].(string)
	if issuer != i.url && (typ != Access || !i.sites.have(issuer)) {
		return nil, ErrInvalid
	}
	if _, ok := claims["exp"].(float64); !ok {
		return nil, ErrInvalid
	}
	return claims, i.expired(expiryOf(claims))
}

// expiryOf is the exp claim, which must be there (RFC 7519 §4.1.4).
func expiryOf(claims map[string]any) time.Time {
	seconds, _ := claims["exp"].(float64)
	return time.Unix(int64(seconds), 0)
}
