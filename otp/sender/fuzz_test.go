// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"encoding/json"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddy-otp/caddy-otp/otp"
)

// FuzzEscapes puts any text into a body and a query: it must come out the same
// and leave what stands around it alone.
func FuzzEscapes(f *testing.F) {
	for _, s := range []string{"", `"}`, "a&b=c", "{otp.code}", "\\u0000", "\u2028"} {
		f.Add(s)
	}
	body, err := parsePattern(`{"text":"{otp.text}","last":1}`)
	if err != nil {
		f.Fatal(err)
	}
	query, err := parsePattern(`text={otp.text}&last=1`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := otp.Message{Text: s, Code: "048151"}
		var decoded map[string]any
		err := json.Unmarshal([]byte(body.fill(m, escapeJSON)), &decoded)
		if err != nil || len(decoded) != 2 || utf8.ValidString(s) && decoded["text"] != s {
			t.Errorf("%q: %v, %v", s, decoded, err)
		}
		values, err := url.ParseQuery(query.fill(m, url.QueryEscape))
		if err != nil || len(values) != 2 || values.Get("text") != s {
			t.Errorf("%q: %v, %v", s, values, err)
		}
	})
}

// FuzzSuccess judges any answer of a provider.
func FuzzSuccess(f *testing.F) {
	f.Add("status", `{"status":"ok"}`)
	f.Add("messages.0.status", `{"messages":[{"status":"ok"}]}`)
	f.Add("..", `{"":{"":{"":"ok"}}}`)
	f.Fuzz(func(t *testing.T, path, answer string) {
		if (Success{Path: path, Value: "ok"}).holds([]byte(answer)) && !strings.Contains(answer, "o") && !strings.Contains(answer, `\u`) {
			t.Errorf("%q at %q holds", answer, path)
		}
	})
}

// FuzzStatus words any answer of a relay: digits and dots get into an error,
// and nothing else.
func FuzzStatus(f *testing.F) {
	f.Add(550, "5.1.1 <ada@example.com>: unknown")
	f.Add(421, "")
	f.Fuzz(func(t *testing.T, code int, message string) {
		said := status(&textproto.Error{Code: code, Msg: message})
		if strings.Trim(said, "-0123456789. ") != "" {
			t.Errorf("%q", said)
		}
	})
}
