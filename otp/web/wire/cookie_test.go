// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"net/http"
	"testing"
)

func TestSoleCookie(t *testing.T) {
	for _, tc := range []struct {
		headers []string
		value   string
		ok      bool
	}{
		{nil, "", false},
		{[]string{"a=b"}, "", false},
		{[]string{"a=b; otp=x; c=d"}, "x", true},
		{[]string{"a=b;otp=x"}, "x", true},
		{[]string{"a=b", "otp=x=y"}, "x=y", true},
		{[]string{"otp="}, "", true},
		{[]string{"xotp=1; otpx=2; OTP=3; otp"}, "", false},
		{[]string{"otp=x; otp=x"}, "", false},
		{[]string{"otp=x", "otp=y"}, "", false},
		{[]string{"otp=planted, \"; otp=x"}, "", false}, // one that net/http would pass over
	} {
		value, ok := SoleCookie(&http.Request{Header: http.Header{"Cookie": tc.headers}}, "otp")
		if value != tc.value || ok != tc.ok {
			t.Errorf("%q: %q, %v", tc.headers, value, ok)
		}
	}
}
