// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestTrustHeaderIsWarnedOf starts sites whose server drops the header by which
// clients tell that their device is trusted.
func TestTrustHeaderIsWarnedOf(t *testing.T) {
	site := func(options string) string {
		return ":8080 {\notp {\npublic_url http://localhost:8080\n" + options + "\n}\n}"
	}
	for _, test := range []struct{ name, servers, site, want string }{
		{"the API by default", "", site(""), "info"},
		{"the API", "", site("api nestauth"), "warn"},
		{"another API", "", site("api autional"), ""},
		{"no second factor", "", site("api nestauth\nmfa off"), ""},
		{"expected", "nest_auth_device_trust", site("api nestauth"), ""},
		{"expected in other letters", "X_Other Nest_Auth_Device_Trust", site("api nestauth"), ""},
		{"expected by its beginning", "nest_auth*", site("api nestauth"), ""},
		{"others are expected", "nest_auth other_*", site("api nestauth"), "warn"},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "log")
			servers := ""
			if test.servers != "" {
				servers = "servers {\nexpected_underscore_headers " + test.servers + "\n}\n"
			}
			c := run(t)
			config := c.withoutListeners("{\nadmin off\npersist_config off\nauto_https off\n" + servers + "}\n" + test.site)
			config = bytes.Replace(config, []byte(`"output":"discard"`), []byte(`"output":"file","filename":"`+log+`"`), 1)
			if err := caddy.Load(config, true); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for line := range strings.Lines(string(text)) {
				if strings.Contains(line, "expected_underscore_headers") {
					got += strings.Split(line, `"`)[3]
				}
			}
			if got != test.want {
				t.Errorf("level %q, want %q:\n%s", got, test.want, text)
			}
		})
	}
}
