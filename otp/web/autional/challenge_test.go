// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

func TestVerifyChallenge(t *testing.T) {
	s := newSite(t, webtest.Options{}, shared)
	s.send(alice).Want(http.StatusOK)
	code := s.Code()
	for _, test := range []struct {
		name, body string
		kind       *kind
		fields     []string
	}{
		{"a code that is right elsewhere", `{"challenge_token":"t","code":"` + code + `"}`, codeInvalid, nil},
		{"with a method", `{"challenge_token":"t","code":"123456","mfa_method":"sms"}`, codeInvalid, nil},
		{"nothing", `{}`, invalidParameter, []string{"challenge_token required", "code required"}},
		{"wrong types", `{"challenge_token":1,"code":2,"mfa_method":3}`, invalidParameter,
			[]string{"challenge_token type", "code type", "mfa_method type"}},
		{"unknown method", `{"challenge_token":"t","code":"123456","mfa_method":"fax"}`, invalidParameter, []string{"mfa_method format"}},
		{"unknown field", `{"challenge_token":"t","code":"123456","email":"` + alice + `"}`, invalidParameter, []string{"email unknown"}},
		{"truncated", `{"challenge_token":"`, malformedBody, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, prefix := range prefixes {
				wantProblem(s.in(t).Post(prefix+"/auth/mfa/verify-challenge", test.body), test.kind, test.fields...)
			}
		})
	}
	s.login(alice, code).Want(http.StatusOK) // none of it counted as a try
}
