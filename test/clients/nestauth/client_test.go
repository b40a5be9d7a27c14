// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/site"
)

func TestMain(m *testing.M) {
	code := m.Run()
	caddyserver.Cleanup()
	os.Exit(code)
}

// newRig runs a site that expects the header of trusted devices.
func newRig(t *testing.T, store, options string) *site.Rig {
	t.Helper()
	r := &site.Rig{T: t, App: site.NewUpstream(t)}
	r.Global = site.GlobalBlock(store) + "\n\tservers {\n\t\texpected_underscore_headers nest_auth_device_trust\n\t}"
	r.URL = fmt.Sprintf("http://localhost:%d", freeport.Take(t))
	r.Sites = site.SiteBlock(r.URL, site.Roomy+"\n\t\tthrottle address 1000 1h\n\t\tprotect /private\n"+options, "reverse_proxy "+r.App.Addr)
	r.Caddy = caddyserver.Start(t, r.Global, r.Sites)
	return r
}

// journey is a person with several devices.
type journey struct {
	*testing.T
	*program
	rig     *site.Rig
	address string
	mails   int
}

// step calls a method and prints what came of it, which must hold want.
func (j *journey) step(device, what, method string, want string, args ...any) answer {
	j.Helper()
	a := j.call(j.T, device, method, args...)
	text := a.String()
	verdict := "ok"
	if !strings.Contains(text, want) {
		verdict = "WRONG, not " + want
		j.Errorf("%s: %s", what, text)
	}
	j.Logf("%-6s %-28s %s\n\t%s", device, what, verdict, shortened(text))
	return a
}

var secrets = regexp.MustCompile(`(eyJ[\w-]{10})[\w.-]+|(data:image/png;base64,)[\w+/=]+`)

// shortened leaves out what nobody reads.
func shortened(text string) string { return secrets.ReplaceAllString(text, "$1$2…") }

func (j *journey) code() string {
	j.Helper()
	j.mails++
	return j.rig.Message(j.address, j.mails).Code
}

type object = map[string]any

// login signs in with a code by e-mail.
func (j *journey) login(device, want string) answer {
	j.Helper()
	j.step(device, "send", "passwordlessSend", "If an account exists, a login code has been sent", object{"identifier": j.address, "channel": "email"})
	return j.step(device, "login", "passwordlessLogin", want, object{"identifier": j.address, "code": j.code()})
}

func (j *journey) wantAuthenticated(a answer, want bool) {
	j.Helper()
	if a.Authenticated != want {
		j.Errorf("the client takes itself for authenticated: %v", a.Authenticated)
	}
}

// opens reports whether a token opens a path of the app that needs a session.
func (j *journey) opens(token any) bool {
	return j.rig.Get("/private", "Authorization", fmt.Sprint("Bearer ", token)).Status == 200
}

func newJourney(t *testing.T, store, options string) *journey {
	r := newRig(t, store, options)
	return &journey{T: t, program: newProgram(t, r.URL), rig: r, address: "jane@example.com"}
}

// TestOfficialClient goes all the way of somebody who turns a second factor on.
func TestOfficialClient(t *testing.T) { site.OnEachStore(t, goAllTheWay) }

func goAllTheWay(t *testing.T, store string) {
	j := newJourney(t, store, "\t\tapi nestauth {\n\t\t\texclusive\n\t\t}\n\t\tmfa {\n\t\t\tuser_toggle\n\t\t\tissuer Example\n\t\t}")

	j.step("laptop", "config", "getClientConfig", `"mfa":{"enabled":true,"methods":["email","sms","totp"],"allowUserToggle":true`)
	j.step("laptop", "send", "passwordlessSend", `{"message":"If an account exists, a login code has been sent"}`, object{"identifier": j.address, "channel": "email"})
	code := j.code()
	j.step("laptop", "login with a wrong code", "passwordlessLogin", `400 VERIFICATION_CODE_INVALID "Invalid or expired code" (indeterminate)`,
		object{"identifier": j.address, "code": site.OtherCode(code)})
	a := j.step("laptop", "login", "passwordlessLogin", `"isRequiresMfa":false`, object{"identifier": j.address, "code": code, "channel": "email"})
	j.wantAuthenticated(a, true)
	first := a.fields(t)["accessToken"]
	j.step("laptop", "verify session", "verifySession", `"valid":true`)
	j.step("laptop", "me", "getSessionUserData", `"email":"jane@example.com"`)
	j.step("laptop", "refresh", "refresh", `"refreshToken":`)
	j.step("laptop", "MFA status", "getMfaStatus", `"isEnabled":false,"verifiedMethods":[]`)
	j.step("laptop", "MFA on", "toggleMfa", "MFA enabled successfully", object{"enabled": true})
	j.step("laptop", "challenge", "send2fa", "MFA code sent successfully", "email")
	code = j.code()
	j.step("laptop", "verify with a wrong code", "verify2fa", `400 VERIFICATION_CODE_INVALID`, object{"method": "email", "otp": site.OtherCode(code)})
	a = j.step("laptop", "verify with trust", "verify2fa", `"trustToken":`, object{"method": "email", "otp": code, "trustDevice": true})
	j.wantAuthenticated(a, true)
	if !j.opens(a.fields(t)["accessToken"]) || j.opens(first) {
		t.Error("the new token must open the app, and the one before not any more")
	}
	j.step("laptop", "MFA status", "getMfaStatus", `"isEnabled":true,"verifiedMethods":["email"]`)
	recovery := j.step("laptop", "recovery codes", "generateRecoveryCode", `"codes":[`).fields(t)["codes"].([]any)
	setup := j.step("laptop", "set TOTP up", "setupTotp", `"otpAuthUrl":"otpauth://totp/Example:`, object{"deviceName": "Phone"}).fields(t)
	secret := setup["secret"].(string)
	j.step("laptop", "verify TOTP set-up", "verifyTotpSetup", "Device setup successfully", object{"secret": secret, "otp": totp(t, secret, 0)})
	devices := j.step("laptop", "devices", "listTotpDevices", `"deviceName":"Phone"`)
	j.wantAuthenticated(j.step("laptop", "logout", "logout", "null"), false)
	a = j.login("laptop", `"isRequiresMfa":false`) // trusted
	j.wantAuthenticated(a, true)

	pending := j.login("other", `"isRequiresMfa":true,"message":"Login successful","mfaMethods":["totp"],"defaultMfaMethod":"totp"`)
	j.wantAuthenticated(pending, false)
	if j.opens(pending.fields(t)["accessToken"]) {
		t.Error("a pending token opens the app")
	}
	j.step("other", "a bad recovery code", "verifyRecoveryCode", `401 MFA_RECOVERY_CODE_INVALID "Invalid recovery code" (rejected)`, object{"code": "bad"})
	a = j.step("other", "recovery code", "verifyRecoveryCode", "Recovery code verification successful", object{"code": recovery[0]})
	j.wantAuthenticated(a, true)
	j.step("other", "logout", "logout", "null")

	j.login("third", `"isRequiresMfa":true`)
	j.step("third", "challenge", "send2fa", "MFA code sent successfully", "totp")
	j.step("third", "verify with a wrong code", "verify2fa", `401 MFA_CODE_INVALID "Invalid MFA code"`, object{"method": "totp", "otp": site.OtherCode(totp(t, secret, 1))})
	a = j.step("third", "verify with TOTP", "verify2fa", "2FA verification successful", object{"method": "totp", "otp": totp(t, secret, 1)})
	j.wantAuthenticated(a, true)
	j.step("third", "recovery code that was used", "resetMfa", "401 MFA_RECOVERY_CODE_INVALID", fmt.Sprint(recovery[0]))
	id := regexp.MustCompile(`"id":"([^"]+)"`).FindStringSubmatch(devices.String())[1]
	j.step("third", "remove device", "removeTotpDevice", "MFA device removed successfully", id)
	j.step("third", "reset TOTP", "resetMfa", "MFA reset successfully", fmt.Sprint(recovery[1]))
	j.step("third", "MFA off", "toggleMfa", "MFA disabled successfully", object{"enabled": false})
	j.step("third", "logout everywhere", "logoutAll", "Logged out from all devices successfully")
	j.step("laptop", "me", "getSessionUserData", "401 INVALID_TOKEN")
	a = j.login("laptop", `"isRequiresMfa":false`)
	j.wantAuthenticated(a, true)
	j.wantAuthenticated(j.step("laptop", "logout", "logout", "null"), false)
}

// totp is the code of an authenticator app so many steps from now. No step is
// taken twice: the one after the last is good too, and is one that no slow test
// is too late for.
func totp(t *testing.T, secret string, steps int) string {
	t.Helper()
	code, err := otp.TOTPCode(secret, time.Now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return code
}
