// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestRequired: where the site demands a second factor, a login's tokens open
// nothing without, whatever the store remembers.
func TestRequired(t *testing.T) {
	site.SkipShort(t)
	j := newJourney(t, "store bolt otp.db", "\t\tapi nestauth\n\t\tmfa {\n\t\t\trequired\n\t\t}")
	refused := func(what string, token any) {
		t.Helper()
		bearer := []string{"Authorization", "Bearer " + token.(string)}
		a := j.rig.Get("/private", bearer...)
		byCookie := site.Do(t, site.Browser(t), http.MethodGet, j.rig.URL+"/private", "", "Cookie", "accessToken="+token.(string))
		t.Logf("%s at a protected path: as a bearer %d, as a cookie %d", what, a.Status, byCookie.Status)
		a.Expect(t, what, site.Refused(http.StatusUnauthorized, "code", "MFA_REQUIRED"))
		if byCookie.Status != http.StatusUnauthorized {
			t.Errorf("%s as a cookie: %d", what, byCookie.Status)
		}
	}

	pending := j.login("phone", `"isRequiresMfa":true`).fields(t)
	refused("a pending token", pending["accessToken"])
	j.step("phone", "challenge", "send2fa", "MFA code sent successfully", "email")
	full := j.step("phone", "verify with trust", "verify2fa", `"trustToken":`, object{"method": "email", "otp": j.code(), "trustDevice": true}).fields(t)
	if !j.opens(full["accessToken"]) {
		t.Error("the token that the second factor gives opens nothing")
	}
	echo := j.rig.Get("/", "Cookie", "theirs=1; nest_auth_device_trust="+full["trustToken"].(string)+"; more=2")
	if !strings.Contains(echo.Body, "Cookie: theirs=1; more=2\r\n") {
		t.Errorf("the app gets\n%s", echo.Body)
	}
	if echo := j.rig.Get("/", "nest_auth_device_trust", full["trustToken"].(string)); strings.Contains(echo.Body, full["trustToken"].(string)) {
		t.Errorf("the app gets the header with our trust token: %s", echo.Body)
	}
	if echo := j.rig.Get("/", "nest_auth_device_trust", "theirs"); !strings.Contains(echo.Body, ": theirs") {
		t.Errorf("the app doesn't get its own header: %s", echo.Body)
	}
	if echo := j.rig.Get("/", "Cookie", "nest_auth_device_trust=theirs"); !strings.Contains(echo.Body, "nest_auth_device_trust=theirs") {
		t.Errorf("the app doesn't get its own:\n%s", echo.Body)
	}
	secret := j.step("phone", "set TOTP up", "setupTotp", `"secret":`).fields(t)["secret"].(string)
	j.step("phone", "verify TOTP set-up", "verifyTotpSetup", "Device setup successfully", object{"secret": secret, "otp": totp(t, secret, 0)})

	spent := pending["refreshToken"]
	a := j.rig.Post("/auth/refresh-token", site.Object{"refreshToken": spent})
	t.Logf("the refresh token of the session that was continued: %d %s", a.Status, a.Text(t, "code"))
	a.Expect(t, "it", site.Refused(http.StatusUnauthorized, "code", "REFRESH_TOKEN_INVALID"))
	old := full["refreshToken"]
	next := j.rig.Post("/auth/refresh-token", site.Object{"refreshToken": old})
	a = j.rig.Post("/auth/refresh-token", site.Object{"refreshToken": old})
	t.Logf("a refresh token replayed: %d %s", a.Status, a.Text(t, "code"))
	a.Expect(t, "a replayed refresh token", site.Refused(http.StatusUnauthorized, "code", "REFRESH_TOKEN_INVALID"))
	if j.opens(next.Text(t, "accessToken")) {
		t.Error("the session lives on after the replay")
	}

	// All records that have no end are deleted by hand.
	j.rig.Caddy.Stop()
	db, err := bbolt.Open(filepath.Join(j.rig.Caddy.Dir, "otp.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	deleted := 0
	err = db.Update(func(tx *bbolt.Tx) error {
		deleted = tx.Bucket([]byte("records")).Stats().KeyN
		if err := tx.DeleteBucket([]byte("records")); err != nil {
			return err
		}
		_, err := tx.CreateBucket([]byte("records"))
		return err
	})
	if err == nil {
		err = db.Close()
	}
	if err != nil || deleted < 2 {
		t.Fatalf("%d records are deleted, %v", deleted, err)
	}
	j.rig.Caddy.Run()
	login := j.login("phone", `"isRequiresMfa":true,"message":"Login successful","mfaMethods":["email"]`) // its trust is gone with the record
	refused("after the record was deleted, a pending token", login.fields(t)["accessToken"])
	j.step("phone", "verify with TOTP", "verify2fa", "401 MFA_CODE_INVALID", object{"method": "totp", "otp": totp(t, secret, 1)})
	j.step("phone", "challenge", "send2fa", "MFA code sent successfully", "email")
	proved := j.step("phone", "verify", "verify2fa", "2FA verification successful", object{"method": "email", "otp": j.code()})
	if !j.opens(proved.fields(t)["accessToken"]) {
		t.Error("a code by e-mail opens nothing")
	}
}
