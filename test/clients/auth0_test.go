// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/nodejs"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// audience is an API that one of the clients may ask tokens for.
const audience = "https://api.example.com"

// TestAuth0 runs the npm package auth0, the official client of Auth0, against a
// site of its own, on every kind of store: nothing but its domain is changed.
func TestAuth0(t *testing.T) {
	site.OnEachStore(t, testAuth0)
}

func testAuth0(t *testing.T, store string) {
	nodejs.Prepare(t, ".")
	tls := newAuthority(t)
	private, public := newClientKey(t)
	published, keySet := publishKey(t)
	origin := fmt.Sprintf("https://localhost:%d", freeport.Take(t))
	short := fmt.Sprintf("https://localhost:%d", freeport.Take(t))
	caddy := caddyserver.Start(t, site.GlobalBlock(store),
		auth0Site(origin, tls, public, keySet, "")+auth0Site(short, tls, public, keySet, "code {\n\t\t\tlifetime 4s\n\t\t}"))

	lines := nodejs.Run(t, ".", "auth0.mjs",
		"NODE_EXTRA_CA_CERTS="+tls.root,
		"DOMAIN="+strings.TrimPrefix(origin, "https://"),
		"SHORT_DOMAIN="+strings.TrimPrefix(short, "https://"),
		"MAILS="+filepath.Join(caddy.Dir, "mails.jsonl"),
		"SECRET="+site.ClientSecret, "PRIVATE_KEY="+private, "PUBLISHED_KEY="+published, "AUDIENCE="+audience,
	)
	calls := make(map[string]outcome)
	for _, line := range lines {
		var c outcome
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		calls[c.Name] = c
		t.Log(c.report())
	}
	for name, want := range auth0Outcomes(origin) {
		c, made := calls[name]
		if got := c.summary(); !made || got != want {
			t.Errorf("%s: %s\nwant: %s", name, got, want)
		}
		delete(calls, name)
	}
	for name := range calls {
		t.Errorf("%s: nothing is expected of it", name)
	}
	if t.Failed() {
		t.Log(caddy.Log())
	}
}

// auth0Site is a site with a client of each kind.
func auth0Site(origin string, tls authority, publicKey, keySet, options string) string {
	return fmt.Sprintf(`%s {
	tls %s %s
	otp {
		public_url %s
		email file mails.jsonl
		sms file mails.jsonl
		sms_countries US
		throttle client_ip 1000 1h
		%s
		api auth0 {
			exclusive
			client web {
				secret %s
				audience %s
				callback https://app.example.com/callback
				trust_forwarded_for
			}
			client server {
				jwt_key %s
			}
			client published {
				jwt_key %s
			}
			client symmetric {
				secret %[6]s
				algorithm HS256
			}
		}
	}
	respond 404
}
`, origin, tls.certificate, tls.key, origin, options, site.ClientSecret, audience, publicKey, keySet)
}

// newClientKey makes the key of a client that signs assertions, and returns
// the files of both halves.
func newClientKey(t *testing.T) (private, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	privateDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	publicDER, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return writePEM(t, dir, "server.pem", "PRIVATE KEY", privateDER), writePEM(t, dir, "server-public.pem", "PUBLIC KEY", publicDER)
}

// publishKey makes the key of another such client, and publishes its public
// half. It returns the file of the private one and the URL of the key set.
func publishKey(t *testing.T) (private, keySet string) {
	t.Helper()
	key := newKey(t)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Use: "sig", Algorithm: "ES256"}}})
	}))
	t.Cleanup(server.Close)
	return writePEM(t, t.TempDir(), "published.pem", "PRIVATE KEY", der), server.URL + "/jwks.json"
}

// outcome is a line that the script prints.
type outcome struct {
	Name   string
	Result any
	Error  *struct {
		Name        string `json:"name"`
		Code        string `json:"error"`
		Description string `json:"error_description"`
		Status      int    `json:"statusCode"`
		Message     string `json:"message"`
	}
}

// summary is what is expected of an outcome: of a result its status and the
// names of its data, but of claims the values that are known beforehand.
func (c outcome) summary() string {
	if c.Error != nil {
		return fmt.Sprintf("%s %d %s: %s", c.Error.Name, c.Error.Status, c.Error.Code, c.Error.Description)
	}
	object, ok := c.Result.(map[string]any)
	if !ok {
		return fmt.Sprint(c.Result)
	}
	data, ok := object["data"].(map[string]any)
	if ok {
		return fmt.Sprintf("%v %v", object["status"], slices.Sorted(maps.Keys(data)))
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		switch name {
		case "otp", "jti", "iat", "exp", "sub", "updated_at":
			texts = append(texts, name)
		default:
			texts = append(texts, fmt.Sprintf("%s=%v", name, object[name]))
		}
	}
	return strings.Join(texts, " ")
}

// report is an outcome as it is shown, without what tokens hold.
func (c outcome) report() string {
	if c.Error == nil {
		return fmt.Sprintf("%-55s %s", c.Name, c.summary())
	}
	encoded, err := json.Marshal(c.Error)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%-55s %s", c.Name, encoded)
}

// auth0Outcomes are what must come of each call.
func auth0Outcomes(origin string) map[string]string {
	const (
		all      = "200 [access_token expires_in id_token refresh_token scope token_type]"
		claims   = "email=%s email_verified=true exp iat iss=%s/ name=%[1]s nickname=%[3]s sub updated_at"
		invalid  = "AuthApiError 403 invalid_grant: "
		wrong    = invalid + "Wrong email or verification code."
		attempts = invalid + "You've reached the maximum number of attempts. Please try to login again."
		refresh  = invalid + "Unknown or invalid refresh token"
		client   = "AuthApiError 401 invalid_client: Invalid client credentials"
	)
	access := fmt.Sprintf("aud=[%s %s/userinfo] azp=web client_id=web exp iat iss=%[2]s/ jti otp scope=openid profile email offline_access sub", audience, origin)
	return map[string]string{
		"sendEmail":                              "status=200",
		"loginWithEmail":                         all,
		"access token":                           access,
		"ID token":                               "aud=web " + fmt.Sprintf(claims, "alice@example.com", origin, "alice"),
		"getUserInfo":                            "200 [email email_verified name nickname sub updated_at]",
		"getUserInfo of a bad token":             "UserInfoError 401 unauthorized: Unauthorized",
		"refreshTokenGrant":                      all,
		"renewed access token":                   access,
		"revokeRefreshToken":                     "status=200",
		"refreshTokenGrant after it was revoked": refresh,
		"getUserInfo after it was revoked":       "UserInfoError 401 unauthorized: Unauthorized",

		"sendEmail to Bob":                   "status=200",
		"loginWithEmail of Bob":              all,
		"refreshTokenGrant of Bob":           all,
		"refreshTokenGrant of a used token":  refresh,
		"refreshTokenGrant of its successor": refresh,

		"sendSMS":                        "status=200",
		"loginWithSMS with a wrong code": invalid + "Wrong phone number or verification code.",
		"loginWithSMS":                   "200 [access_token expires_in id_token scope token_type]",

		"sendEmail to Carol":                                        "status=200",
		"loginWithEmail with a first wrong code":                    wrong,
		"loginWithEmail with a second wrong code":                   wrong,
		"loginWithEmail with a third wrong code":                    attempts,
		"loginWithEmail with the right code after three wrong ones": attempts,
		"loginWithEmail of nobody":                                  wrong,

		"sendEmail to Dave":                   "status=200",
		"loginWithEmail with an expired code": invalid + "The verification code has expired. Please try to login again.",

		"sendEmail with private_key_jwt":          "status=200",
		"loginWithEmail with private_key_jwt":     all,
		"refreshTokenGrant with private_key_jwt":  all,
		"revokeRefreshToken with private_key_jwt": "status=200",
		"sendEmail with a published key":          "status=200",
		"loginWithEmail with a published key":     "200 [access_token expires_in id_token scope token_type]",
		"sendEmail with another client's key":     client,
		"sendEmail of an HS256 client":            "status=200",
		"loginWithEmail of an HS256 client":       "200 [access_token expires_in id_token scope token_type]",
		"header of its ID token":                  "alg=HS256 typ=JWT",
		"sendEmail with a wrong secret":           client,
		"sendEmail of an unknown client":          client,

		"sendEmail without send": "status=200",
		"its message":            "code= link=true",
		"sendEmail in German":    "status=200",
		"its subject":            "Ihr Anmeldecode für " + strings.TrimPrefix(origin, "https://"),
	}
}
