// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/jwks"
	"github.com/caddy-otp/caddy-otp/otp/web/auth0"
)

// The applications of the auth0 API: how a Caddyfile says them, what is wrong
// with them, and what the API gets to know of them.
//
// There is no option for an API's own scopes (read:orders). Like Auth0 where an
// API defines none, the site leaves them out of what it grants.

// parseClient reads
//
//	client <id> {
//		secret <key>
//		jwt_key <pem file or jwks url>
//		algorithm RS256|HS256
//		type regular|spa|native
//		callback <url>...
//		logout <url>...
//		origin <url>...
//		audience <aud>...
//		grant <name>...
//		trust_forwarded_for
//	}
func (api *API) parseClient(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return missing(d, "client", "<id>")
	}
	client := Client{ID: d.Val()}
	if d.NextArg() {
		return d.Errf("client takes one id; remove %q", d.Val())
	}
	block := newBlockRepeating(d)
	for block.next() {
		var err error
		switch d.Val() {
		case "secret":
			client.Secret, err = checked(d, "<key>", checkSecret)
		case "jwt_key":
			client.JWTKey, err = checked(d, "<pem file or jwks url>", checkJWTKey)
		case "algorithm":
			client.Algorithm, err = checked(d, "RS256|HS256", checkAlgorithm)
		case "type":
			client.Type, err = checked(d, "regular|spa|native", checkClientType)
		case "callback":
			client.Callbacks, err = allChecked(d, "<url>...", checkCallback)
		case "logout":
			client.Logouts, err = allChecked(d, "<url>...", checkLogout)
		case "origin":
			client.Origins, err = allChecked(d, "<url>...", checkOrigin)
		case "audience":
			client.Audiences, err = allChecked(d, "<aud>...", of("audience", checkAudience))
		case "grant":
			client.Grants, err = allChecked(d, "<name>...", checkGrant)
		case "trust_forwarded_for":
			client.TrustForwardedFor, err = true, none(d)
		default:
			err = unknown(d, "secret", "jwt_key", "algorithm", "type", "callback", "logout", "origin", "audience", "grant", "trust_forwarded_for")
		}
		if err != nil {
			return err
		}
	}
	if block.err != nil {
		return block.err
	}
	api.Clients = append(api.Clients, client)
	return block.opening.at(api.check())
}

func checkClientType(kind string) error {
	return checkWord("type", kind, string(auth0.Regular), string(auth0.SPA), string(auth0.Native))
}

func checkAlgorithm(name string) error {
	return checkWord("algorithm", name, string(auth0.RS256), string(auth0.HS256))
}

func checkConnection(name string) error {
	return checkWord("connection", name, string(otp.Email), string(otp.SMS))
}

func checkGrant(name string) error {
	var names []string
	for _, grant := range auth0.Grants {
		names = append(names, string(grant))
	}
	return checkWord("grant", name, names...)
}

// isURL reports whether a jwt_key is published somewhere, and not in a file.
func isURL(text string) bool { return strings.Contains(text, "://") }

func checkJWTKey(text string) error {
	if !isURL(text) {
		return nil // files are read when the configuration runs
	}
	return of("jwt_key", jwks.CheckURL)(text)
}

func checkAudience(text string) error {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fmt.Errorf("%q can't be an audience; write how the API names itself, without blanks, such as https://api.example.com", text)
	}
	return nil
}

func checkCallback(text string) error {
	return checkReturnURL("callback", text, "https://app.example.com/callback or com.example.app://callback")
}

func checkLogout(text string) error {
	return checkReturnURL("logout", text, "https://app.example.com/bye or com.example.app://bye")
}

// checkReturnURL refuses what no browser should be sent to.
func checkReturnURL(option, text, example string) error {
	u, err := url.Parse(text)
	// A native app's own scheme is the reverse of a domain (RFC 8252 §7.1).
	native := err == nil && strings.Contains(u.Scheme, ".")
	if err != nil || u.Fragment != "" || u.User != nil || !native && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return fmt.Errorf("%s %q: write a whole address, such as %s", option, text, example)
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return fmt.Errorf("%s %q: plain http is for loopback hosts only; write https://", option, text)
	}
	return nil
}

// checkAuth0 judges what only the auth0 API has, besides its clients.
func (api API) checkAuth0() error {
	if api.Name != "auth0" && (len(api.Connections) > 0 || api.DefaultAudience != "") {
		return errors.New("only api auth0 has connections and a default audience; remove them")
	}
	for _, name := range api.Connections {
		if err := unlessPlaceholder(name, checkConnection); err != nil {
			return err
		}
	}
	if api.DefaultAudience != "" {
		return unlessPlaceholder(api.DefaultAudience, of("default_audience", checkAudience))
	}
	return nil
}

// checkConnections refuses a connection that nothing can be sent over.
func (o *Options) checkConnections() error {
	for _, api := range o.APIs {
		if slices.Contains(api.Connections, string(otp.SMS)) && len(o.SMSRaw) == 0 {
			return errors.New("api auth0: connection sms has no sender; write `sms <sender>`, or remove it")
		}
	}
	return nil
}

func (c Client) check() error {
	if c.ID == "" {
		return errors.New("a client needs an id; write `client <id>`")
	}
	if err := c.checkOptions(); err != nil {
		return fmt.Errorf("client %s: %w", c.ID, err)
	}
	return nil
}

func (c Client) checkOptions() error {
	for _, word := range []struct {
		text  string
		check func(string) error
	}{{c.Type, checkClientType}, {c.Algorithm, checkAlgorithm}, {c.JWTKey, checkJWTKey}} {
		if word.text == "" {
			continue
		}
		if err := unlessPlaceholder(word.text, word.check); err != nil {
			return err
		}
	}
	if err := c.checkProof(); err != nil {
		return err
	}
	for _, list := range []struct {
		texts []string
		check func(string) error
	}{
		{c.Callbacks, checkCallback}, {c.Logouts, checkLogout}, {c.Origins, checkOrigin},
		{c.Audiences, of("audience", checkAudience)}, {c.Grants, checkGrant},
	} {
		for _, text := range list.texts {
			if err := unlessPlaceholder(text, list.check); err != nil {
				return err
			}
		}
	}
	if c.Type == "spa" && slices.Contains(c.Grants, string(auth0.GrantOTP)) {
		return errors.New("type spa may not redeem codes at /oauth/token; remove `grant otp` or write `type native`")
	}
	return nil
}

// checkProof judges how a client proves who it is, by what else it is.
func (c Client) checkProof() error {
	public := c.Secret == "" && c.JWTKey == ""
	switch {
	case c.Secret != "" && c.JWTKey != "":
		return errors.New("secret and jwt_key are two ways to prove the same; keep one")
	case c.Type == "regular" && public:
		return errors.New("type regular needs a secret; write `secret {env.NAME}` into its block, or `jwt_key <pem file or jwks url>`")
	case (c.Type == "spa" || c.Type == "native") && c.Secret != "":
		return fmt.Errorf("type %s can't keep a secret; remove the secret or write `type regular`", c.Type)
	case (c.Type == "spa" || c.Type == "native") && c.JWTKey != "":
		return fmt.Errorf("type %s can't keep a private key; remove the jwt_key or write `type regular`", c.Type)
	case c.Algorithm == "HS256" && c.Secret == "":
		return errors.New("algorithm HS256 signs with the client's secret; write `secret {env.NAME}` into its block, or remove it for RS256")
	case c.TrustForwardedFor && public:
		return errors.New("trust_forwarded_for would let anybody choose the address that limits count by; give the client a secret or a jwt_key, or remove it")
	}
	return nil
}

func (api *API) resolveAuth0(repl *caddy.Replacer) error {
	if err := replaceAll(repl, map[string]*string{"default_audience": &api.DefaultAudience}); err != nil {
		return err
	}
	return replaceList(repl, "connection", &api.Connections)
}

func (c *Client) resolve(repl *caddy.Replacer) error {
	err := replaceAll(repl, map[string]*string{
		"id": &c.ID, "secret": &c.Secret, "jwt_key": &c.JWTKey, "algorithm": &c.Algorithm, "type": &c.Type,
	})
	if err != nil {
		return err
	}
	if c.Secret != "" {
		if err := checkSecret(c.Secret); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		option string
		texts  *[]string
	}{
		{"callback", &c.Callbacks}, {"logout", &c.Logouts}, {"origin", &c.Origins},
		{"audience", &c.Audiences}, {"grant", &c.Grants},
	} {
		if err := replaceList(repl, list.option, list.texts); err != nil {
			return err
		}
	}
	return nil
}

// audiences are the APIs that tokens can be had for at the site. They are taken
// to stand behind it: who has a token for one is known there.
func (o *Options) audiences() []string {
	var all []string
	for _, api := range o.apiLines() {
		if api.DefaultAudience != "" {
			all = append(all, api.DefaultAudience)
		}
		for _, client := range api.Clients {
			all = append(all, client.Audiences...)
		}
	}
	return all
}

// auth0Clients are the clients as the API knows them.
func auth0Clients(lines []Client, logger *slog.Logger) ([]auth0.Client, error) {
	var clients []auth0.Client
	for _, c := range lines {
		keys, err := c.keys(logger)
		if err != nil {
			return nil, fmt.Errorf("client %s: jwt_key: %w", c.ID, err)
		}
		client := auth0.Client{
			ID:                c.ID,
			Secret:            c.Secret,
			Keys:              keys,
			Algorithm:         auth0.Algorithm(c.Algorithm),
			Type:              auth0.ClientType(c.Type),
			Callbacks:         c.Callbacks,
			LogoutURLs:        c.Logouts,
			Origins:           origins(c.Origins),
			Audiences:         c.Audiences,
			TrustForwardedFor: c.TrustForwardedFor,
		}
		for _, name := range c.Grants {
			client.Grants = append(client.Grants, auth0.Grant(name))
		}
		clients = append(clients, client)
	}
	return clients, nil
}

// keys returns what the client's assertions are verified by, or nil.
func (c Client) keys(logger *slog.Logger) (jwks.Keys, error) {
	if c.JWTKey == "" {
		return nil, nil
	}
	if isURL(c.JWTKey) {
		return jwks.NewRemote(jwks.RemoteConfig{
			URL:    c.JWTKey,
			Logger: logger.With(slog.String("api", "auth0"), slog.String("client", c.ID)),
		})
	}
	text, err := os.ReadFile(c.JWTKey)
	if err != nil {
		return nil, err
	}
	keys, err := jwks.ParsePEM(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.JWTKey, err)
	}
	return keys, nil
}

// auth0Code is what the API's codes and links are: as Auth0 documents it, where
// no `code` line says otherwise.
func (h *Handler) auth0Code() otp.CodePolicy {
	return h.codePolicy(auth0CodeLifetime, auth0CodeLifetime, auth0Attempts, 1)
}

func channels(names []string) []otp.Channel {
	var all []otp.Channel
	for _, name := range names {
		all = append(all, otp.Channel(name))
	}
	return all
}
