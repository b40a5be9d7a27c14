// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"strings"
	"testing"
)

var devices = map[string]string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                          "Firefox on Windows",
	"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                    "Firefox on Linux",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                     "Safari on Mac",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1":   "Safari on iPhone",
	"Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/137.0.0.0 Mobile/15E148 Safari/604.1":         "Chrome on iPad",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/139.0 Mobile/15E148 Safari/605.1.15": "Firefox on iPhone",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148":                             "Browser on iPhone",
	"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36":                           "Chrome on Android",
	"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36":       "Samsung Internet on Android",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36 Edg/137.0.0.0":             "Edge on Windows",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36 OPR/120.0.0.0":             "Opera on Windows",
	"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36":                            "Chrome on ChromeOS",
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/137.0.0.0 Safari/537.36":                             "Chrome on Linux",
	"Mozilla/5.0 (compatible; Firefox/1)":   "Firefox",
	"Mozilla/5.0":                           "",
	"curl/8.14.1":                           "curl",
	"Wget/1.25.0":                           "Wget",
	"Go-http-client/2.0":                    "Go program",
	"python-requests/2.32.4":                "Python program",
	"node":                                  "Node.js program",
	"okhttp/4.12.0":                         "Java program",
	"PostmanRuntime/7.44.0":                 "Postman",
	"Dart/3.8 (dart:io)":                    "Dart program",
	"":                                      "",
	"Your account is at risk, call 555":     "",
	"<b>Firefox/1</b> on <i>Windows</i>":    "",
	"curl/<script>alert(1)</script>":        "curl",
	"Mozilla/5.0 Firefox/https://evil.test": "Firefox",
	"Mozilla/5.0 (" + strings.Repeat(";", maxUserAgent) + "Windows) Firefox/1": "",
}

func TestDevice(t *testing.T) {
	for header, want := range devices {
		if got := Device(header); got != want {
			t.Errorf("%s\nis %q, want %q", header, got, want)
		}
	}
}

// deviceLabels are all that Device can return.
func deviceLabels() map[string]bool {
	all := map[string]bool{"": true}
	for _, program := range programs {
		all[program.word] = true
	}
	for _, system := range systems {
		all["Browser on "+system.word] = true
		for _, browser := range browsers {
			all[browser.word] = true
			all[browser.word+" on "+system.word] = true
		}
	}
	return all
}

// FuzzDevice looks for a label that has a word of the request.
func FuzzDevice(f *testing.F) {
	for header := range devices {
		f.Add(header)
	}
	labels := deviceLabels()
	f.Fuzz(func(t *testing.T, header string) {
		if got := Device(header); !labels[got] {
			t.Errorf("%q is called %q", header, got)
		}
	})
}
