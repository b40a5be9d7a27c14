// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp/store/redis"
)

// RedisTLS are the files of a TLS connection, in PEM. They are read anew with
// each reload.
type RedisTLS struct {
	// The certificates of the authorities to trust instead of the system's.
	CA string `json:"ca,omitempty"`
	// The certificate that Caddy shows, followed by those between it and its
	// authority.
	ClientCertificate string `json:"client_certificate,omitempty"`
	// Its key.
	ClientKey string `json:"client_key,omitempty"`
}

// parseRedisTLS reads
//
//	tls {
//		ca <file>
//		client_auth <cert> <key>
//	}
func parseRedisTLS(d *caddyfile.Dispenser) (*RedisTLS, error) {
	if d.NextArg() {
		return nil, d.Errf("tls takes no argument; write `ca <file>` or `client_auth <cert> <key>` into its block")
	}
	t := new(RedisTLS)
	block := newBlock(d)
	for block.next() {
		var err error
		switch d.Val() {
		case "ca":
			t.CA, err = one(d, "<file>")
		case "client_auth":
			var files []string
			if files, err = oneOrMore(d, "<cert> <key>"); err == nil {
				if len(files) != 2 {
					return nil, usage(d, "client_auth", "<cert> <key>")
				}
				t.ClientCertificate, t.ClientKey = files[0], files[1]
			}
		default:
			err = unknown(d, "ca", "client_auth")
		}
		if err != nil {
			return nil, err
		}
	}
	if block.err != nil {
		return nil, block.err
	}
	if *t == (RedisTLS{}) {
		return nil, block.opening.at(errEmptyRedisTLS)
	}
	return t, nil
}

var errEmptyRedisTLS = errors.New("tls has nothing in it; write `ca <file>` or `client_auth <cert> <key>`, or remove it: rediss:// in the URL is enough for TLS")

// option reads the files. None of them is ever left out: a CA that can't be
// read must not lead to trust in others.
func (t *RedisTLS) option(repl *caddy.Replacer) (redis.Option, error) {
	ca, certificate, key := t.CA, t.ClientCertificate, t.ClientKey
	err := replaceAll(repl, map[string]*string{
		"store redis tls ca": &ca, "store redis tls client_auth": &certificate, "store redis tls client_auth key": &key,
	})
	if err != nil {
		return nil, err
	}
	if *t == (RedisTLS{}) {
		return nil, fmt.Errorf("store redis: %w", errEmptyRedisTLS)
	}
	var roots *x509.CertPool
	if ca != "" {
		text, err := readPEM("ca", ca)
		if err != nil {
			return nil, err
		}
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("store redis tls ca: %s has no certificate in PEM (-----BEGIN CERTIFICATE-----); write the file of the authority's certificate", ca)
		}
	}
	if (certificate == "") != (key == "") {
		return nil, errors.New("store redis tls client_auth needs both a certificate and its key; write `client_auth <cert> <key>`")
	}
	if certificate == "" {
		return redis.WithTLS(roots, nil), nil
	}
	certificatePEM, err := readPEM("client_auth", certificate)
	if err != nil {
		return nil, err
	}
	keyPEM, err := readPEM("client_auth", key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificatePEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("store redis tls client_auth: %s and %s are no certificate and its key, in PEM and in this order: %w", certificate, key, err)
	}
	return redis.WithTLS(roots, &pair), nil
}

func readPEM(option, file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("store redis tls %s: %s can't be read: %w; write a file that Caddy may read", option, file, failed.Err)
	}
	return text, err
}
