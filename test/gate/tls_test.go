// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// keyPair names the files of a certificate and its key.
type keyPair struct{ certificate, key string }

// trust is a certificate for all hosts of the tests, and who trusts it.
type trust struct {
	files keyPair
	roots *x509.CertPool
}

// newTLS makes a certificate that signs itself.
func newTLS(t *testing.T) *trust {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"*.example.test", "*.example.org", "*.example.net"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w := &trust{keyPair{filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")}, x509.NewCertPool()}
	w.roots.AddCert(certificate)
	for file, block := range map[string]*pem.Block{
		w.files.certificate: {Type: "CERTIFICATE", Bytes: der},
		w.files.key:         {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// browser is a browser that trusts the certificate.
func (w *trust) browser(t *testing.T) *http.Client {
	t.Helper()
	client := site.Browser(t)
	transport := client.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: w.roots}
	client.Transport = transport
	return client
}
