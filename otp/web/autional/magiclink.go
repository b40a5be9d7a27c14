// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// maxRedirect is the longest redirect_url, in characters.
const maxRedirect = 1024

// linkPayload is what a link of this API carries.
type linkPayload struct {
	// RedirectURL is where the site's page leads once the link is redeemed
	// there, or empty.
	RedirectURL string `json:"redirect_url,omitempty"`
}

// decodeMagicLink reads the body of a request for a link, which goes by e-mail
// only.
func (d *dialect) decodeMagicLink(body wire.Object) (otp.Address, linkPayload, error) {
	f := reader{body: body}
	address := d.reachable(&f, otp.Email)
	payload := linkPayload{RedirectURL: f.text("redirect_url")}
	if payload.RedirectURL != "" {
		if code := d.refusalOfRedirect(payload.RedirectURL); code != "" {
			f.refuse("redirect_url", code)
		}
	}
	f.only("email", "redirect_url")
	return address, payload, f.err()
}

// refusalOfRedirect returns the fieldCodes entry of what is wrong with a
// redirect_url, or "". It must be an address at the site itself or at one of
// the origins that are configured. It has no fragment, where the tokens go.
func (d *dialect) refusalOfRedirect(text string) string {
	if utf8.RuneCountInString(text) > maxRedirect {
		return "range"
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || strings.ContainsAny(text, "#\\ \t\r\n") {
		return "format"
	}
	origin := u.Scheme + "://" + u.Host
	if origin != d.Service.PublicURL().String() && !slices.Contains(d.Origins, origin) {
		return "unsupported"
	}
	return ""
}

// sendLink has a link sent.
func (d *dialect) sendLink(w http.ResponseWriter, r *http.Request) error {
	body, err := wire.Parse(r, wire.JSON)
	if err != nil {
		return err
	}
	address, payload, err := d.decodeMagicLink(body)
	if err != nil {
		return err
	}
	tenant, err := tenantOf(r, "")
	if err != nil {
		return err
	}
	sealed, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	_, err = d.Start(r, otp.StartRequest{
		Dialect:     Name,
		Address:     address,
		Form:        otp.FormLink,
		Tenant:      tenant,
		LinkPath:    d.LinkPath,
		LinkPayload: sealed,
	})
	if err != nil {
		return err
	}
	d.succeed(w, "a link is sent if the address may sign in", nil)
	return nil
}

// tokenParameter is the query parameter, and the field, that a link's token is
// in.
const tokenParameter = "token"

// showLink leads a browser to the site's page that asks whether to sign in,
// and tells a program to redeem the link by POST. It uses nothing up and opens
// nothing: mail scanners follow links.
func (d *dialect) showLink(w http.ResponseWriter, r *http.Request) error {
	if !gate.WantsPage(r) {
		w.Header().Set("Allow", http.MethodPost)
		return linkUnconfirmed
	}
	w.Header().Set("Location", d.LinkPath+url.QueryEscape(r.URL.Query().Get(tokenParameter)))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// redeemLink redeems a link for a session.
func (d *dialect) redeemLink(w http.ResponseWriter, r *http.Request) error {
	body, err := wire.Parse(r, wire.JSON)
	if err != nil {
		return err
	}
	f := reader{body: body}
	raw := f.requiredText(tokenParameter)
	f.only(tokenParameter)
	if err := f.err(); err != nil {
		return err
	}
	v, err := d.verifyLink(r, raw)
	if errors.Is(err, otp.ErrWrong) || errors.Is(err, otp.ErrExpired) {
		return linkInvalid
	}
	if err != nil {
		return err
	}
	return d.answerLogin(w, r, v)
}

// verifyLink returns the session of a link of this API, with the errors of
// [otp.Service.VerifyLink].
func (d *dialect) verifyLink(r *http.Request, raw string) (otp.Verification, error) {
	l, err := d.Service.OpenLink(raw)
	if err != nil {
		return otp.Verification{}, err
	}
	if l.Dialect != Name || l.Purpose != otp.Login {
		return otp.Verification{}, otp.ErrWrong
	}
	if err := d.Issuer.Prepare(r.Context()); err != nil { // or the link would be lost
		return otp.Verification{}, err
	}
	p := d.presented()
	p.ClientIP, p.Device = wire.CallerOf(r).IP, wire.Device(r.UserAgent())
	return d.Service.VerifyLink(r.Context(), l, p)
}

// FinishLink returns what answers the request with which one of this API's
// links was redeemed at the site's pages: it sends the browser, which has the
// pages' session by then, to the redirect_url that the link was asked for
// with, or to the site's root.
//
// A redirect_url that is an origin's front page gets the access token of that
// session in its fragment, as by OAuth 2.0's implicit grant (RFC 6749 §4.2.2),
// and no refresh token; where a second factor is demanded of the person it
// gets requires_mfa=true instead. Any other page gets nothing: one that
// redirects would pass the fragment on, to where whoever asked for the link
// wants it (RFC 9700 §4.11).
func FinishLink(c Config) func(http.ResponseWriter, *http.Request, otp.Link, otp.Verification) {
	return dialectOf(c).finishLink
}

func (d *dialect) finishLink(w http.ResponseWriter, r *http.Request, l otp.Link, v otp.Verification) {
	location := "/"
	var payload linkPayload
	err := json.Unmarshal(l.Payload, &payload)
	if err == nil && payload.RedirectURL != "" && d.refusalOfRedirect(payload.RedirectURL) == "" { // the origins may have changed
		location = payload.RedirectURL
		if isFrontPage(location) {
			location += "#" + d.linkFragment(r, v).Encode()
		}
	}
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// isFrontPage reports whether a redirect_url is nothing but an origin.
func isFrontPage(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Path == "" || u.Path == "/") && u.RawQuery == "" && !u.ForceQuery
}

func (d *dialect) linkFragment(r *http.Request, v otp.Verification) url.Values {
	if d.lacksFactor(v.Session) {
		return url.Values{"requires_mfa": {"true"}}
	}
	t, err := d.issue(r.Context(), v)
	if err != nil {
		wire.LogDefect(d.Logger, Name, r, err)
		return url.Values{"error": {"server_error"}}
	}
	return url.Values{
		"access_token": {t.AccessToken},
		"token_type":   {t.TokenType},
		"expires_in":   {strconv.Itoa(t.ExpiresIn)},
	}
}
