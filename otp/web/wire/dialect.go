// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
)

// Dialect is what all dialects that give out tokens need; each one's Config
// begins with it. Service and Issuer are required.
type Dialect struct {
	Service *otp.Service
	Issuer  *token.Issuer
	// Code is what codes and links look like. The dialects document that only
	// the last one asked for is valid: Keep is 1.
	Code otp.CodePolicy
	// AccessLifetime is how long an access token lives.
	AccessLifetime time.Duration
	// RefreshLifetime is how long a session with a refresh token lasts,
	// renewed or not.
	RefreshLifetime time.Duration
	// LongestSession is the longest that a session of the site lasts,
	// whichever API or page opened it; a sign-out everywhere is remembered
	// for so long. It is never taken as less than RefreshLifetime.
	LongestSession time.Duration
	// Exclusive makes all of the dialect's paths ours.
	Exclusive bool
	// Origins are the foreign web origins whose pages may call the API.
	Origins []string
	// KnownBrowser returns the id of the known browser that a request comes
	// from, where somebody with the address has signed in with it before, or
	// ""; nil: none is known.
	KnownBrowser func(r *http.Request, address otp.Handle) string
	// Logger is told of defects; nil: nobody is.
	Logger *slog.Logger
}

// Start has a message sent for a request to sign in. Purpose, Code, ClientIP
// and KnownBrowser are set here, and Locale where it is left out. The errors are those
// of [otp.Service.Start].
func (d *Dialect) Start(r *http.Request, s otp.StartRequest) (otp.Started, error) {
	s.Purpose = otp.Login
	s.Code = d.Code
	s.ClientIP = CallerOf(r).IP
	s.KnownBrowser.ID = d.Known(r, s.Address)
	s.Locale = cmp.Or(s.Locale, Languages(r))
	return d.Service.Start(r.Context(), s)
}

// Prove has a second factor proved for a request, once it is sure that the
// tokens of the session that comes of it can be signed. ClientIP,
// Renewable, Lifetime and Device are set here. The errors are those of [token.Issuer.Prepare] and of
// elevate, a method of [otp.Service].
func (d *Dialect) Prove(r *http.Request, x otp.Session, p otp.ElevateRequest, elevate Elevation) (otp.Verification, error) {
	if err := d.Issuer.Prepare(r.Context()); err != nil {
		return otp.Verification{}, err
	}
	p.ClientIP = CallerOf(r).IP
	p.Renewable = true
	p.Lifetime = d.RefreshLifetime
	p.Device = Device(r.UserAgent())
	return elevate(r.Context(), x, p)
}

// Elevation is a way to prove a second factor for a session.
type Elevation func(context.Context, otp.Session, otp.ElevateRequest) (otp.Verification, error)

// Verify redeems a code for a session, once it is sure that the session's
// tokens can be signed: the code would be lost. Purpose, ClientIP, Device and
// KnownBrowser are set here. The errors are those of [token.Issuer.Prepare] and
// [otp.Service.Verify].
func (d *Dialect) Verify(r *http.Request, v otp.VerifyRequest) (otp.Verification, error) {
	if err := d.Issuer.Prepare(r.Context()); err != nil {
		return otp.Verification{}, err
	}
	v.Purpose = otp.Login
	v.ClientIP = CallerOf(r).IP
	v.Device = Device(r.UserAgent())
	v.KnownBrowser.ID = d.Known(r, v.Address)
	return d.Service.Verify(r.Context(), v)
}

// Known returns the id of the known browser that a request for an address comes
// from, or "".
func (d *Dialect) Known(r *http.Request, a otp.Address) string {
	if d.KnownBrowser == nil {
		return ""
	}
	return d.KnownBrowser(r, d.Service.Handle(a))
}
